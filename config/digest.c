/* digest - see digest.h. */
#include "config/digest.h"

static uint64_t add_number(uint64_t digest, int64_t number)
{
    return hash_add(digest, span_make((const char *)&number, sizeof number));
}

/* With its end, so that "ab","c" is not "a","bc". */
static uint64_t add_text(uint64_t digest, const char *text)
{
    return text ? hash_add(digest, span_make(text, strlen(text) + 1)) : add_number(digest, -1);
}

uint64_t digest_setting(uint64_t digest, const config_setting_t *setting)
{
    int kind = config_setting_type(setting);
    digest = add_number(add_text(digest, config_setting_name(setting)), kind);
    switch (kind) {
    case CONFIG_TYPE_INT:
        return add_number(digest, config_setting_get_int(setting));
    case CONFIG_TYPE_INT64:
        return add_number(digest, config_setting_get_int64(setting));
    case CONFIG_TYPE_BOOL:
        return add_number(digest, config_setting_get_bool(setting));
    case CONFIG_TYPE_STRING:
        return add_text(digest, config_setting_get_string(setting));
    case CONFIG_TYPE_FLOAT: {
        double value = config_setting_get_float(setting);
        return hash_add(digest, span_make((const char *)&value, sizeof value));
    }
    default:
        break;
    }
    int count = config_setting_length(setting);
    for (int i = 0; i < count; i++)
        digest = digest_setting(digest, config_setting_get_elem(setting, (unsigned)i));
    return add_number(digest, count);
}
