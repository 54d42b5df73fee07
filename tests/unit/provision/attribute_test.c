/* The rows of attributes agree with what a configuration takes and with what the service says. */
#include "tests/unit/provision/build.h"

#include "provision/attribute.h"

static bool loads(bool queue, const struct attribute *row, int64_t value)
{
    struct buf text = BUF_INIT(4096), number = BUF_INIT(64);
    const char *quote = attribute_is_quoted(row) ? "\"" : "";
    attribute_text(row, value, &number);
    /* what some settings need beside them */
    const char *with = row->bit == GIVEN_REWIND_SIZE ? "rewind = \"1d\"; " : "";
    if (row->bit == GIVEN_CHECK_BACK_AFTER || row->bit == GIVEN_CHECK_BACKS)
        with = "transaction = true; ";
    CHECK(buf_printf(&text,
                     "gateway = { id = \"g\"; state_dir = \"s\"; };\n"
                     "mqtt = { servers = \"tcp://h:1\"; };\n"
                     "resources = { %s = { name = \"x\"; %s%s = %s%s%s; }; };",
                     queue ? "queues" : "topics", with, row->setting, quote, buf_str(&number),
                     quote));
    struct faults faults = {0};
    struct config *config = config_load_text("t", buf_span(&text), &faults);
    bool ok = config;
    if (config) { /* the place is the right one, and the bit */
        const void *resource =
            queue ? (const void *)config->resources.queues : (const void *)config->resources.topics;
        unsigned given = queue ? config->resources.queues->given : config->resources.topics->given;
        assert_true(attribute_get(row, resource) == value);
        assert_true(given & row->bit);
    }
    config_free(config);
    faults_fini(&faults);
    buf_fini(&text);
    buf_fini(&number);
    return ok;
}

static void bounds_are_those_of_the_settings(void **state)
{
    (void)state;
    for (int queue = 0; queue < 2; queue++) {
        const struct attribute_table *table = queue ? &queue_attributes : &topic_attributes;
        for (size_t i = 0; i < table->count; i++) {
            const struct attribute *row = &table->rows[i];
            int64_t unit = row->kind == ATTRIBUTE_MEBIBYTES ? 1 << 20 : 1;
            if (!loads(queue, row, row->min) || !loads(queue, row, row->max))
                fail_msg("%s is not taken at its bounds", row->setting);
            if (row->kind == ATTRIBUTE_BOOL || row->kind == ATTRIBUTE_SWITCH)
                continue;
            if (loads(queue, row, row->max + unit) ||
                (row->min > 0 && loads(queue, row, row->min - unit)))
                fail_msg("%s is taken out of its bounds", row->setting);
        }
    }
}

static void values_are_read_and_written_as_the_service_has_them(void **state)
{
    (void)state;
    static const struct {
        const char *setting, *description;
        int64_t value;
        bool ok, found;
        const char *written;
    } rows[] = {
        {"visibility", "{\"VisibilityTimeout\":30}", 30, true, true, "{\"VisibilityTimeout\":30}"},
        {"visibility", "{}", 0, true, false, NULL},
        {"visibility", "{\"VisibilityTimeout\":null}", 0, true, false, NULL},
        {"visibility", "{\"VisibilityTimeout\":-1}", 0, false, true, NULL},
        {"visibility", "{\"VisibilityTimeout\":1e300}", 0, false, true, NULL},
        {"visibility", "{\"VisibilityTimeout\":\"30\"}", 0, false, true, NULL},
        {"visibility", "{\"VisibilityTimeout\":true}", 0, false, true, NULL},
        {"rewind_size", "{\"RetentionSizeInMB\":10240}", INT64_C(10) << 30, true, true,
         "{\"RetentionSizeInMB\":10240}"},
        {"trace", "{\"Trace\":true}", 1, true, true, "{\"Trace\":true}"},
        {"trace", "{\"Trace\":0}", 0, true, true, "{\"Trace\":false}"},
        {"transaction", "{\"Transaction\":true}", 1, true, true, "{\"Transaction\":1}"},
        {"check_backs", "{\"TransactionPolicy\":{\"MaxQueryCount\":5}}", 5, true, true,
         "{\"MaxQueryCount\":5}"},
        {"check_backs", "{\"TransactionPolicy\":null,\"MaxQueryCount\":5}", 0, true, false, NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct attribute *row = queue_attributes.rows;
        while (strcmp(row->setting, rows[i].setting) != 0)
            row++;
        cJSON *description = cJSON_Parse(rows[i].description);
        int64_t value = 0;
        bool found;
        assert_int_equal(attribute_read(row, description, &value, &found), rows[i].ok);
        assert_int_equal(found, rows[i].found);
        if (rows[i].ok && found) {
            struct resource_queue queue = {0};
            cJSON *request = cJSON_CreateObject();
            assert_true(value == rows[i].value);
            attribute_set(row, &queue, value);
            assert_true(attribute_get(row, &queue) == (value));
            attribute_write(row, value, request);
            char *text = cJSON_PrintUnformatted(request);
            assert_string_equal(text, rows[i].written);
            cJSON_free(text);
            cJSON_Delete(request);
        }
        cJSON_Delete(description);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bounds_are_those_of_the_settings),
        cmocka_unit_test(values_are_read_and_written_as_the_service_has_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
