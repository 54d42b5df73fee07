/* reader_place - where in the configuration the reader is, see reader.h; for config_print alone. */
#include "config/reader.h"
#include "config/resource_rows.h"

size_t reader_count_before(const struct reader *reader, const struct option_group *group)
{
    const struct config *config = reader->config;
    const struct {
        const struct option_group *group;
        size_t count;
    } sections[] = {{&option_forward, config->rules->forward_count},
                    {&option_reverse, config->rules->reverse_count},
                    {&option_tests, config->test_count},
                    {&resource_queue_group, config->resources.queue_count},
                    {&resource_topic_group, config->resources.topic_count}};
    for (size_t i = 0; i < OPTION_COUNT(sections); i++) {
        if (sections[i].group == group)
            return sections[i].count;
    }
    return 0;
}

size_t reader_enter(struct reader *reader)
{
    size_t outer = reader->place.len;
    if (reader->config->shown)
        buf_printf(&reader->place, "%s%s", outer ? "." : "", reader->option->name);
    return outer;
}

void reader_leave(struct reader *reader, size_t outer)
{
    if (reader->place.len == outer)
        return;
    reader->place.len = outer;
    reader->place.ptr[outer] = '\0';
}
