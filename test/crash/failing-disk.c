// Lets the system calls of a process fail by the file that they are for. The file that FAULTS names says which: an error number, a part of the path, and
// optionally "sync" for calls that sync only. Without that file nothing fails.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static int faultOf(const char *file, int isSync) {
  const char *name = getenv("FAULTS");
  if (!name) return 0;
  // By the system itself: our own calls must not come back here.
  int control = syscall(SYS_openat, AT_FDCWD, name, O_RDONLY);
  if (control < 0) return 0;
  char text[512];
  ssize_t length = syscall(SYS_read, control, text, sizeof text - 1);
  syscall(SYS_close, control);
  if (length <= 0) return 0;
  text[length] = 0;
  int number = 0;
  char part[400] = "", kind[16] = "";
  if (sscanf(text, "%d %399s %15s", &number, part, kind) < 2) return 0;
  if (strcmp(kind, "sync") == 0 && !isSync) return 0;
  return strstr(file, part) ? number : 0;
}

static int faultOfDescriptor(int descriptor, int isSync) {
  char link[64], file[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
  ssize_t length = readlink(link, file, sizeof file - 1);
  if (length < 0) return 0;
  file[length] = 0;
  return faultOf(file, isSync);
}

#define ORIGINAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define FAIL(number) do { int found = (number); if (found) { errno = found; return -1; } } while (0)

ssize_t write(int d, const void *b, size_t n) { FAIL(faultOfDescriptor(d, 0)); return ORIGINAL(write)(d, b, n); }
ssize_t pwrite(int d, const void *b, size_t n, off_t o) { FAIL(faultOfDescriptor(d, 0)); return ORIGINAL(pwrite)(d, b, n, o); }
ssize_t pwrite64(int d, const void *b, size_t n, off64_t o) { FAIL(faultOfDescriptor(d, 0)); return ORIGINAL(pwrite64)(d, b, n, o); }
ssize_t writev(int d, const struct iovec *v, int n) { FAIL(faultOfDescriptor(d, 0)); return ORIGINAL(writev)(d, v, n); }
ssize_t pwritev(int d, const struct iovec *v, int n, off_t o) { FAIL(faultOfDescriptor(d, 0)); return ORIGINAL(pwritev)(d, v, n, o); }
ssize_t pwritev64(int d, const struct iovec *v, int n, off64_t o) { FAIL(faultOfDescriptor(d, 0)); return ORIGINAL(pwritev64)(d, v, n, o); }
int fsync(int d) { FAIL(faultOfDescriptor(d, 1)); return ORIGINAL(fsync)(d); }
int fdatasync(int d) { FAIL(faultOfDescriptor(d, 1)); return ORIGINAL(fdatasync)(d); }

static int forWriting(int flags) { return flags & (O_WRONLY | O_RDWR | O_CREAT); }

int open(const char *file, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  mode_t mode = va_arg(rest, mode_t);
  va_end(rest);
  if (forWriting(flags)) FAIL(faultOf(file, 0));
  return ORIGINAL(open)(file, flags, mode);
}
int open64(const char *file, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  mode_t mode = va_arg(rest, mode_t);
  va_end(rest);
  if (forWriting(flags)) FAIL(faultOf(file, 0));
  return ORIGINAL(open64)(file, flags, mode);
}
int mkdir(const char *file, mode_t mode) { FAIL(faultOf(file, 0)); return ORIGINAL(mkdir)(file, mode); }
int rename(const char *from, const char *to) { FAIL(faultOf(from, 0)); FAIL(faultOf(to, 0)); return ORIGINAL(rename)(from, to); }
