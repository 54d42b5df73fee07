/*
 * hash - stable numbers from bytes
 *
 * FNV-1a, 64 bits (draft-eastlake-fnv): the same on every machine and in every version, because
 * the `shard` template function and the spool rely on it. Not for keeping attackers out.
 */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include "base/span.h"

#define HASH_SEED UINT64_C(0xcbf29ce484222325)

/* Continues hash (HASH_SEED to begin with) over bytes. Pure. */
static inline uint64_t hash_add(uint64_t hash, struct span bytes)
{
    for (size_t i = 0; i < bytes.len; i++) {
        hash ^= (unsigned char)bytes.ptr[i];
        hash *= UINT64_C(0x100000001b3);
    }
    return hash;
}

#endif
