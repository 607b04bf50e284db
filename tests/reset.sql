-- What makes a database as good as new after a test, for the next one. It is loaded once, into a
-- fresh copy of the template, and remembers that copy's rows, functions and schema.
CREATE SCHEMA fresh;

CREATE TABLE fresh.tables AS
SELECT oid, oid::regclass::text AS name, false AS has_rows
FROM pg_class
WHERE relkind = 'r'
    AND relnamespace::regnamespace::text IN ('accounts', 'bookings', 'events')
    AND relname <> 'schema_migrations';

-- Copies the rows that migrations wrote, such as the head of the feed.
DO $$
DECLARE
    filled record;
BEGIN
    FOR filled IN SELECT oid, name FROM fresh.tables WHERE pg_relation_size(oid) > 0 LOOP
        EXECUTE format('CREATE TABLE fresh.%I AS TABLE %s', filled.name, filled.name);
        UPDATE fresh.tables SET has_rows = true WHERE oid = filled.oid;
    END LOOP;
END
$$;

CREATE TABLE fresh.functions AS
SELECT oid, pg_get_functiondef(oid) AS definition
FROM pg_proc
WHERE pronamespace::regnamespace::text IN ('accounts', 'bookings', 'events');

CREATE TABLE fresh.changes (command text NOT NULL);

CREATE FUNCTION fresh.note_change() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    INSERT INTO fresh.changes (command) VALUES (tg_tag);
END
$$;

-- Puts rows, sequences and functions back. Returns false, and leaves everything as it is, where a
-- test changed more than functions: then only a new copy is as good as new.
--
-- TRUNCATE costs milliseconds for each table, DELETE next to nothing while there are few rows. As a
-- replica the session passes over foreign keys, whatever their order, and over the trigger below. The
-- bodies of functions name tables of their own schema, which the search path here does not have.
CREATE FUNCTION fresh.reset() RETURNS boolean LANGUAGE plpgsql
SET session_replication_role = 'replica'
SET check_function_bodies = off AS $$
DECLARE
    few_pages CONSTANT bigint := 32 * 8192;
    written record;
    replaced record;
BEGIN
    IF EXISTS (SELECT FROM fresh.changes WHERE command <> 'CREATE FUNCTION') THEN
        RETURN false;
    END IF;
    FOR written IN
        SELECT name, has_rows, pg_relation_size(oid) AS size
        FROM fresh.tables
        WHERE pg_relation_size(oid) > 0
    LOOP
        EXECUTE format(
            CASE WHEN written.size > few_pages THEN 'TRUNCATE %s CASCADE' ELSE 'DELETE FROM %s' END,
            written.name
        );
        IF written.has_rows THEN
            EXECUTE format('INSERT INTO %s TABLE fresh.%I', written.name, written.name);
        END IF;
    END LOOP;
    PERFORM setval(format('%I.%I', schemaname, sequencename)::regclass, start_value, false)
    FROM pg_sequences
    WHERE last_value IS NOT NULL;
    IF EXISTS (SELECT FROM fresh.changes) THEN
        FOR replaced IN
            SELECT definition FROM fresh.functions WHERE definition <> pg_get_functiondef(oid)
        LOOP
            EXECUTE replaced.definition;
        END LOOP;
        DELETE FROM fresh.changes;
    END IF;
    RETURN true;
END
$$;

CREATE EVENT TRIGGER note_change ON ddl_command_end EXECUTE FUNCTION fresh.note_change();
