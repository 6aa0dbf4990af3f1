-- The functions of webhooks run with the rights of their owner when a trigger calls them. Called by another
-- role, they could forge events.
ALTER FUNCTION "fixative_webhook_event"(text, json) SECURITY INVOKER;
REVOKE EXECUTE ON FUNCTION "fixative_webhook_inserted"() FROM PUBLIC;
REVOKE EXECUTE ON FUNCTION "fixative_webhook_changed"() FROM PUBLIC;
REVOKE EXECUTE ON FUNCTION "fixative_webhook_copy"() FROM PUBLIC;
REVOKE EXECUTE ON FUNCTION "fixative_webhook_run"() FROM PUBLIC;
