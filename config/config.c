/* config - the main file, the rule files, then what only all together can say; see config.h. */
#include "config/config.h"

#include "config/list.h"
#include "config/main_checks.h"
#include "config/origins.h"
#include "config/proof.h"
#include "config/reader.h"
#include "config/source.h"

#include <dirent.h>
#include <errno.h>
#include <sys/stat.h>

enum { MAX_PATH_BYTES = 8192 };

static struct config *config_new(const char *path)
{
    struct config *config = check_alloc(calloc(1, sizeof *config));
    atomic_init(&config->holders, 1);
    config->path = span_dup(span_of(path));
    config->rules = check_alloc(calloc(1, sizeof *config->rules));
    config->origins = check_alloc(calloc(1, sizeof *config->origins));
    return config;
}

const struct config *config_hold(const struct config *config)
{
    atomic_fetch_add(&((struct config *)(uintptr_t)config)->holders, 1);
    return config;
}

void config_free(const struct config *held)
{
    struct config *config = (struct config *)(uintptr_t)held;
    if (!config || atomic_fetch_sub(&config->holders, 1) != 1)
        return;
    option_free(&option_main_file, config); /* before the files that others point to */
    cases_free(config);
    resources_free(&config->resources);
    origins_free(config->origins);
    origins_free(config->shown);
    ruleset_free(config->rules);
    free(config->path);
    free(config);
}

/* Makes name the file that is being read. */
static void begin_file(struct reader *reader, const char *name)
{
    struct ruleset *set = reader->config->rules;
    set->files = list_grow(set->files, set->file_count, sizeof *set->files);
    reader->file = set->files[set->file_count++] = span_dup(span_of(name));
}

/* "DIR/NAME" with the folder of file for DIR; name alone when it is absolute or file has none. */
static char *join_to_file(const char *file, const char *name)
{
    const char *slash = strrchr(file, '/');
    struct buf path = BUF_INIT(MAX_PATH_BYTES);
    if (slash && *name != '/')
        buf_add(&path, span_make(file, (size_t)(slash - file) + 1));
    buf_add_str(&path, name);
    return buf_take(&path);
}

static int is_rule_file(const struct dirent *entry)
{
    size_t len = strlen(entry->d_name);
    return entry->d_name[0] != '.' && len > 4 && strcmp(entry->d_name + len - 4, ".cfg") == 0;
}

static int compare_bytes(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

/* Whether two paths are the same file: a rules_dir may be the main file's own folder. */
static bool same_file(const char *a, const char *b)
{
    struct stat x, y;
    return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

static void read_rule_file(struct reader *reader, const char *path)
{
    struct source source;
    begin_file(reader, path);
    if (source_read(&source, path, reader->faults)) {
        const config_setting_t *root = config_root_setting(&source.tree);
        reader_group(reader, &option_rule_file, root, 1, reader->config);
    } else {
        reader->incomplete = true;
    }
    source_fini(&source);
}

static void read_rules_dir(struct reader *reader, const config_t *main_tree)
{
    const char *dir = reader->config->gateway.rules_dir;
    struct dirent **entries;
    int count = scandir(dir, &entries, is_rule_file, compare_bytes);
    if (count < 0) {
        const config_setting_t *setting = config_lookup(main_tree, "gateway.rules_dir");
        reader_fault_at(reader, reader_line(setting), "gateway.rules_dir: cannot read %s: %s", dir,
                        strerror(errno));
        reader->incomplete = true;
        return;
    }
    bool slash = *dir && dir[strlen(dir) - 1] == '/';
    for (int i = 0; i < count; i++) {
        struct buf path = BUF_INIT(MAX_PATH_BYTES);
        buf_printf(&path, "%s%s%s", dir, slash ? "" : "/", entries[i]->d_name);
        if (!same_file(buf_str(&path), reader->config->path))
            read_rule_file(reader, buf_str(&path));
        buf_fini(&path);
        free(entries[i]);
    }
    free(entries);
}

/* Reads the parsed main file, and its rules_dir; complete when that adds no error. */
static void read_all(struct reader *reader, struct source *main_file, bool with_rules_dir)
{
    struct config *config = reader->config;
    const config_setting_t *root = config_root_setting(&main_file->tree);
    const char *main_name = reader->file;
    reader_group(reader, &option_main_file, root, 1, config);
    if (*config->gateway.rules_dir) {
        char *joined = join_to_file(config->path, config->gateway.rules_dir);
        free(config->gateway.rules_dir);
        config->gateway.rules_dir = joined;
        if (with_rules_dir)
            read_rules_dir(reader, &main_file->tree);
    }
    reader->file = main_name;
    if (!reader->bare)
        main_checks(reader, &main_file->tree);
    names_check(&reader->names, &config->resources, reader->incomplete, reader->faults);
}

/* What only a complete configuration can be asked: half of one would give faults that are none. */
static void prove(const struct config *config, struct faults *faults)
{
    proof_rules(config, faults);
    proof_reverse(config, faults);
    proof_hints(config, faults);
    proof_paths(config, faults);
    proof_loops(config, faults);
}

enum load_mode { LOAD_TO_RUN, LOAD_OFFLINE, LOAD_BARE, LOAD_ANYHOW };

/* text NULL: the file at path, and its rules_dir. show: keep what rules have set. */
static struct config *load(const char *path, const struct span *text, enum load_mode mode,
                           bool show, struct faults *faults)
{
    bool bare = mode == LOAD_BARE;
    struct config *config = config_new(path);
    struct reader reader = {.config = config,
                            .faults = faults,
                            .bare = bare,
                            .offline = mode != LOAD_TO_RUN,
                            .place = BUF_INIT(MAX_PATH_BYTES),
                            .errors_before = faults->errors};
    struct source source;
    if (show)
        config->shown = check_alloc(calloc(1, sizeof *config->shown));
    begin_file(&reader, path);
    bool parsed =
        text ? source_parse(&source, path, *text, faults) : source_read(&source, path, faults);
    if (parsed)
        read_all(&reader, &source, text == NULL && mode != LOAD_ANYHOW);
    names_fini(&reader.names);
    buf_fini(&reader.place);
    source_fini(&source);
    if (faults->errors == reader.errors_before && mode != LOAD_ANYHOW) {
        config->rules->gateway = span_dup(span_of(config->gateway.id));
        ruleset_seal(config->rules);
        if (!bare)
            prove(config, faults);
    }
    faults_sort(faults, config->rules->files, config->rules->file_count);
    if (mode == LOAD_ANYHOW ? !parsed : faults->errors > reader.errors_before) {
        config_free(config);
        return NULL;
    }
    return config;
}

struct config *config_load(const char *path, struct faults *faults)
{
    return load(path, NULL, LOAD_TO_RUN, false, faults);
}

struct config *config_load_offline(const char *path, struct faults *faults)
{
    return load(path, NULL, LOAD_OFFLINE, false, faults);
}

struct config *config_load_to_print(const char *path, bool offline, struct faults *faults)
{
    return load(path, NULL, offline ? LOAD_OFFLINE : LOAD_TO_RUN, true, faults);
}

struct config *config_load_resources(const char *path, struct faults *faults)
{
    return load(path, NULL, LOAD_BARE, false, faults);
}

struct config *config_load_anyhow(const char *path, struct faults *faults)
{
    return load(path, NULL, LOAD_ANYHOW, false, faults);
}

struct config *config_load_text(const char *name, struct span text, struct faults *faults)
{
    return load(name, &text, LOAD_TO_RUN, false, faults);
}
