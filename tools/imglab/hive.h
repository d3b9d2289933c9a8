/**
 * imglab/hive: a registry hive as a tree in memory, written by libhivex.
 * Paths are relative to the hive's root, with backslashes, compared without
 * ASCII case.
 */
#ifndef IMGLAB_HIVE_H
#define IMGLAB_HIVE_H

#include "base/base.h"

#include "model.h"

struct lab_hive;

/** An empty hive; free with lab_hive_free(). */
struct lab_hive *lab_hive_new(void);
/** Free; NULL is fine. */
void lab_hive_free(struct lab_hive *h);

/** Make a key and its parents; one that exists is fine. */
void lab_hive_key(struct lab_hive *h, const char *path);
/** Set a value from raw bytes; copied. A value of that name is replaced. */
void lab_hive_set(struct lab_hive *h, const char *path, const char *name, uint32_t type, const void *data, size_t len);
/** A REG_DWORD. */
void lab_hive_dword(struct lab_hive *h, const char *path, const char *name, uint32_t value);
/** A REG_SZ. */
void lab_hive_sz(struct lab_hive *h, const char *path, const char *name, const char *text);
/** A value in manifest syntax, see struct lab_regvalue. */
void lab_hive_manifest(struct lab_hive *h, const char *path, const char *name, uint32_t type, const char *text);
/** Add a string to a REG_MULTI_SZ, made when missing. */
void lab_hive_append(struct lab_hive *h, const char *path, const char *name, const char *text);

/**
 * The hive's bytes.
 *
 * @param work   a folder for a temporary file
 * @param epoch  time of all keys, seconds since 1970
 * @param ret    owned by the caller (g_bytes_unref)
 * Throws IB_ERR_SYSTEM when libhivex refuses.
 */
bool lab_hive_bytes(struct lab_hive *h, const char *work, int64_t epoch, GBytes **ret, struct ib_error **err)
	IB_MUST_CHECK;

#endif
