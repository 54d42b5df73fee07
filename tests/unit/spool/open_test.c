/* open_test - who may open a state directory, and what is refused without touching it */
#include "tests/unit/spool/fixture.h"

#include <signal.h>
#include <sys/wait.h>

static void assert_refused(struct fixture *f, const char *says)
{
    struct err err = {""};
    if (fixture_open(f, &err))
        fail_msg("was opened, instead of: %s", says);
    if (!strstr(err.text, says))
        fail_msg("'%s' does not say '%s'", err.text, says);
}

static void write_file(const struct fixture *f, const char *name, const char *bytes, size_t count)
{
    char path[128];
    fixture_path(f, name, path);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, count, file), count);
    fclose(file);
}

static size_t read_file(const struct fixture *f, const char *name, char *bytes, size_t room)
{
    char path[128];
    fixture_path(f, name, path);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t count = fread(bytes, 1, room, file);
    fclose(file);
    return count;
}

static void a_directory_is_made_for_its_owner_only(void **state)
{
    struct fixture *f = *state;
    char dir[128];
    fixture_path(f, "new", dir);
    f->options.dir = dir;
    fixture_run(f);
    append_one(f, 1, 1);
    AWAIT(f, r->committed == 1);
    struct stat found;
    assert_int_equal(stat(dir, &found), 0);
    assert_int_equal(found.st_mode & 0777, 0700);
    static const char *const names[] = {"new/spool.db", "new/spool.db-wal", "new/lock"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[128];
        fixture_path(f, names[i], path);
        assert_int_equal(stat(path, &found), 0);
        assert_int_equal(found.st_mode & 0777, 0600);
    }
    fixture_close(f);
    remove_dir(dir);
}

static void a_state_directory_has_one_gateway(void **state)
{
    struct fixture *f = *state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct err err;
        char byte = fixture_open(f, &err) ? 'y' : 'n';
        if (write(ends[1], &byte, 1) != 1)
            _exit(1);
        pause();
        _exit(0);
    }
    char byte;
    assert_int_equal(read(ends[0], &byte, 1), 1);
    assert_int_equal(byte, 'y');
    char says[64];
    (void)snprintf(says, sizeof says, "is in use by process %d", (int)pid);
    assert_refused(f, says);

    /* The lock goes with the process, however it ends. */
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    close(ends[0]);
    close(ends[1]);
    fixture_run(f);
    struct fixture second = {.options = f->options};
    assert_refused(&second, "is in use by process");
}

static void opening_again_finds_everything(void **state)
{
    struct fixture *f = *state;
    fixture_run(f);
    for (int i = 0; i < 10; i++)
        append_one(f, 1, 0);
    fixture_close(f);
    for (int i = 0; i < 3; i++) {
        fixture_run(f);
        assert_int_equal(stat_of(f).deliveries, 10);
        refill(f, 1, 0, 100, 1 << 20);
        assert_int_equal(f->record.refill_count, 10);
        fixture_close(f);
    }
}

static void what_is_not_a_spool_is_left_alone(void **state)
{
    struct fixture *f = *state;
    static const char text[] =
        "These are a person's notes, which happen to be called spool.db.\n"
        "They are longer than the header of a database, which has 100 bytes.";
    write_file(f, "spool.db", text, sizeof text);
    assert_refused(f, "is not a spool: move it away");
    char after[sizeof text];
    assert_int_equal(read_file(f, "spool.db", after, sizeof after), sizeof text);
    assert_memory_equal(after, text, sizeof text);

    write_file(f, "spool.db", "", 0);
    run_sql(f, "CREATE TABLE addresses(name)");
    assert_refused(f, "is a database of another program");
    run_sql(f, "INSERT INTO addresses VALUES('still there')");
}

static void a_newer_schema_is_refused(void **state)
{
    struct fixture *f = *state;
    fixture_run(f);
    append_one(f, 1, 0);
    fixture_close(f);
    run_sql(f, "PRAGMA user_version = 2");
    assert_refused(f, "newer cmqgw (schema 2; this one knows up to 1)");
    run_sql(f, "PRAGMA user_version = 1");
    fixture_run(f);
    assert_int_equal(stat_of(f).deliveries, 1);
}

static void a_schema_with_something_missing_is_refused(void **state)
{
    struct fixture *f = *state;
    fixture_run(f);
    fixture_close(f);
    run_sql(f, "DROP TABLE staged");
    assert_refused(f, "no such table");
}

static void a_damaged_file_is_refused(void **state)
{
    struct fixture *f = *state;
    fixture_run(f);
    append_one(f, 1, 0);
    fixture_close(f);
    static char bytes[1 << 20];
    size_t count = read_file(f, "spool.db", bytes, sizeof bytes);
    assert_true(count > 4096 && count < sizeof bytes);
    memset(bytes + 100, 0xff, 2000); /* the root page of the schema */
    write_file(f, "spool.db", bytes, count);
    assert_refused(f, "is damaged");
    char after[100];
    read_file(f, "spool.db", after, sizeof after);
    assert_memory_equal(after, bytes, sizeof after);
}

/* Damage that only reading finds: a page of deliveries, neither the first nor the last. */
static void damage_further_in_is_reported_when_it_is_met(void **state)
{
    struct fixture *f = *state;
    fixture_run(f);
    for (int i = 0; i < 200; i++)
        append_one(f, 1, 0);
    fixture_close(f);
    static char bytes[1 << 20];
    size_t count = read_file(f, "spool.db", bytes, sizeof bytes);
    int leaves = 0;
    for (char *page = bytes; page < bytes + count; page += 4096) {
        bool is_leaf = page[0] == 0x0d && memmem(page, 4096, "queue store", 11);
        if (is_leaf && ++leaves == 2)
            memset(page + 8, 0xff, 64); /* where its rows are */
    }
    assert_true(leaves > 2);
    write_file(f, "spool.db", bytes, count);

    fixture_run(f);
    assert_int_equal(stat_of(f).deliveries, 200);
    spool_refill(f->spool, 1, 0, 1000, 1 << 20);
    AWAIT(f, r->states == 1);
    assert_int_equal(f->record.state[0], SPOOL_FAILED);
    assert_non_null(strstr(f->record.why[SPOOL_FAILED], "cmqgw spool verify"));
    assert_int_equal(f->record.refills, 0);
}

static void an_empty_file_becomes_a_spool(void **state)
{
    struct fixture *f = *state;
    write_file(f, "spool.db", "", 0); /* killed between making the file and filling it */
    fixture_run(f);
    append_one(f, 1, 1);
    AWAIT(f, r->committed == 1);
}

static void what_cannot_be_a_state_directory_is_said(void **state)
{
    struct fixture *f = *state;
    char path[128];
    fixture_path(f, "missing/deeper", path);
    f->options.dir = path;
    assert_refused(f, "cannot be made");

    write_file(f, "file", "x", 1);
    fixture_path(f, "file", path);
    assert_refused(f, "cannot open the lock file");

    char longer[PATH_MAX + 100];
    memset(longer, '/', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    f->options.dir = longer;
    assert_refused(f, "too long");
    struct err err = {""};
    assert_null(morgue_open(longer, &err));
    assert_non_null(strstr(err.text, "too long"));

    fixture_path(f, "", path);
    f->options.dir = path;
    f->options.max_bytes = (16 << 20) - 1;
    assert_refused(f, "at least 16 MiB");
    f->options.max_bytes = 16 << 20;

    /* A directory where a file should be. */
    fixture_path(f, "spool.db", path);
    assert_int_equal(mkdir(path, 0700), 0);
    f->options.dir = f->dir;
    assert_refused(f, "spool.db");
    assert_int_equal(rmdir(path), 0);
    fixture_path(f, "lock", path);
    (void)unlink(path);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_refused(f, "cannot open the lock file");
    assert_int_equal(rmdir(path), 0);
}

static void closing_nothing_is_fine(void **state)
{
    (void)state;
    spool_close(NULL);
    morgue_close(NULL);
}

static void a_spool_that_never_started_can_be_closed(void **state)
{
    struct fixture *f = *state;
    struct err err;
    assert_non_null(fixture_open(f, &err));
    append_one(f, 1, 1);
    spool_bury(f->spool, 1, 1, span_of("4000: never written"));
    fixture_close(f);
    assert_int_equal(f->record.groups, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_directory_is_made_for_its_owner_only, with_directory,
                                        without),
        cmocka_unit_test_setup_teardown(a_state_directory_has_one_gateway, with_directory, without),
        cmocka_unit_test_setup_teardown(opening_again_finds_everything, with_directory, without),
        cmocka_unit_test_setup_teardown(what_is_not_a_spool_is_left_alone, with_directory, without),
        cmocka_unit_test_setup_teardown(a_newer_schema_is_refused, with_directory, without),
        cmocka_unit_test_setup_teardown(a_schema_with_something_missing_is_refused, with_directory,
                                        without),
        cmocka_unit_test_setup_teardown(a_damaged_file_is_refused, with_directory, without),
        cmocka_unit_test_setup_teardown(damage_further_in_is_reported_when_it_is_met,
                                        with_directory, without),
        cmocka_unit_test_setup_teardown(an_empty_file_becomes_a_spool, with_directory, without),
        cmocka_unit_test_setup_teardown(what_cannot_be_a_state_directory_is_said, with_directory,
                                        without),
        cmocka_unit_test(closing_nothing_is_fine),
        cmocka_unit_test_setup_teardown(a_spool_that_never_started_can_be_closed, with_directory,
                                        without),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
