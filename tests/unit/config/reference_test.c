/*
 * docs/reference.md is what the option table says. To write it anew after a change of the table:
 *     config_reference_test docs/reference.md
 */
#include "config/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

enum { REFERENCE_MAX = 1 << 20 };

static void read_page(struct buf *page)
{
    char path[] = __FILE__; /* tests/unit/config/reference_test.c */
    for (int up = 0; up < 4; up++)
        *strrchr(path, '/') = '\0';
    struct buf name = BUF_INIT(4096);
    buf_printf(&name, "%s/docs/reference.md", path);
    FILE *file = fopen(buf_str(&name), "re");
    if (!file)
        fail_msg("%s cannot be read", buf_str(&name));
    char *room = buf_reserve(page, REFERENCE_MAX);
    page->len += fread(room, 1, REFERENCE_MAX, file);
    (void)fclose(file);
    buf_fini(&name);
}

static void the_reference_page_is_what_the_option_table_says(void **state)
{
    (void)state;
    struct buf page = BUF_INIT(REFERENCE_MAX), table = BUF_INIT(REFERENCE_MAX);
    read_page(&page);
    config_reference(&table);
    assert_true(table.len > 1000);
    if (!span_eq(buf_span(&page), buf_span(&table)))
        fail_msg("docs/reference.md is out of date: config_reference_test docs/reference.md");
    buf_fini(&page);
    buf_fini(&table);
}

static int write_page(const char *path)
{
    struct buf table = BUF_INIT(REFERENCE_MAX);
    config_reference(&table);
    FILE *file = fopen(path, "we");
    bool ok = file && fwrite(table.ptr, 1, table.len, file) == table.len;
    if (file)
        ok = fclose(file) == 0 && ok;
    buf_fini(&table);
    return ok ? 0 : 1;
}

int main(int argc, char **argv)
{
    if (argc > 1)
        return write_page(argv[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_reference_page_is_what_the_option_table_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
