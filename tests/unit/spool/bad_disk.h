/*
 * bad_disk - a disk that fails when told to: SQLite's own files with writing and syncing in our
 * hands
 *
 * Registered as the default VFS before the first spool is opened.
 */
#ifndef TESTS_SPOOL_BAD_DISK_H
#define TESTS_SPOOL_BAD_DISK_H

#include "tests/unit/spool/fixture.h"

#include <stdatomic.h>

/* The methods of one kind of file: those that SQLite gives it, and ours in front of them. */
struct bad_methods {
    const sqlite3_io_methods *real;
    sqlite3_io_methods ours;
};

static struct {
    sqlite3_vfs vfs;
    sqlite3_vfs *real;
    struct bad_methods database; /* the main file */
    struct bad_methods log;      /* and all others */
    _Atomic int write_result;    /* what writing gives; SQLITE_OK: it is done */
    _Atomic int database_write_result;
    _Atomic int sync_result;
    pthread_mutex_t mutex; /* guards the rest */
    pthread_cond_t changed;
    bool hang; /* syncing waits until this is false */
    bool hangs;
} bad_disk = {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static int bad_write(sqlite3_file *file, const void *bytes, int count, sqlite3_int64 at)
{
    int result = atomic_load(&bad_disk.write_result);
    return result ? result : bad_disk.log.real->xWrite(file, bytes, count, at);
}

static int bad_database_write(sqlite3_file *file, const void *bytes, int count, sqlite3_int64 at)
{
    int result = atomic_load(&bad_disk.database_write_result);
    return result ? result : bad_disk.database.real->xWrite(file, bytes, count, at);
}

static int sync_result(void)
{
    pthread_mutex_lock(&bad_disk.mutex);
    while (bad_disk.hang) {
        bad_disk.hangs = true;
        pthread_cond_broadcast(&bad_disk.changed);
        pthread_cond_wait(&bad_disk.changed, &bad_disk.mutex);
    }
    bad_disk.hangs = false;
    pthread_mutex_unlock(&bad_disk.mutex);
    return atomic_load(&bad_disk.sync_result);
}

static int bad_sync(sqlite3_file *file, int flags)
{
    int result = sync_result();
    return result ? result : bad_disk.log.real->xSync(file, flags);
}

static int bad_database_sync(sqlite3_file *file, int flags)
{
    int result = sync_result();
    return result ? result : bad_disk.database.real->xSync(file, flags);
}

static int bad_open(sqlite3_vfs *vfs, sqlite3_filename name, sqlite3_file *file, int flags,
                    int *out_flags)
{
    (void)vfs;
    int code = bad_disk.real->xOpen(bad_disk.real, name, file, flags, out_flags);
    if (code != SQLITE_OK)
        return code;
    bool is_database = flags & SQLITE_OPEN_MAIN_DB;
    struct bad_methods *methods = is_database ? &bad_disk.database : &bad_disk.log;
    if (!methods->real) {
        methods->real = file->pMethods;
        methods->ours = *file->pMethods;
        methods->ours.xWrite = is_database ? bad_database_write : bad_write;
        methods->ours.xSync = is_database ? bad_database_sync : bad_sync;
    }
    assert_ptr_equal(file->pMethods, methods->real);
    file->pMethods = &methods->ours;
    return SQLITE_OK;
}

static void bad_disk_register(void)
{
    bad_disk.real = sqlite3_vfs_find(NULL);
    bad_disk.vfs = *bad_disk.real;
    bad_disk.vfs.zName = "bad-disk";
    bad_disk.vfs.xOpen = bad_open;
    assert_int_equal(sqlite3_vfs_register(&bad_disk.vfs, 1), SQLITE_OK);
}

/* From now on syncing hangs, or no longer. */
static void bad_disk_hang(bool hang)
{
    pthread_mutex_lock(&bad_disk.mutex);
    bad_disk.hang = hang;
    pthread_cond_broadcast(&bad_disk.changed);
    pthread_mutex_unlock(&bad_disk.mutex);
}

/* Waits until somebody hangs. */
static void bad_disk_await_hang(void)
{
    pthread_mutex_lock(&bad_disk.mutex);
    while (!bad_disk.hangs)
        pthread_cond_wait(&bad_disk.changed, &bad_disk.mutex);
    pthread_mutex_unlock(&bad_disk.mutex);
}

#endif
