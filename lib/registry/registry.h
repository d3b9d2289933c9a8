/**
 * registry: offline hives (regf). Load a hive into a tree, edit it, write a
 * fresh compact hive.
 *
 * Keys and values are found as Windows finds them: without case, by its own
 * upper-case table. Security descriptors are shared. Key paths are UTF-8 with
 * '\' between names. Values keep their type as a raw 32-bit number: every
 * number is legal in a hive.
 *
 * Threads: a hive belongs to one thread at a time.
 */
#ifndef IB_REGISTRY_REGISTRY_H
#define IB_REGISTRY_REGISTRY_H

#include "base/base.h"

struct ib_hive;  /**< an open hive */
struct ib_key;   /**< one key; borrowed from its hive */
struct ib_value; /**< one value; borrowed from its key */

#define IB_REG_NONE 0u
#define IB_REG_SZ 1u
#define IB_REG_EXPAND_SZ 2u
#define IB_REG_BINARY 3u
#define IB_REG_DWORD 4u
#define IB_REG_DWORD_BE 5u
#define IB_REG_LINK 6u
#define IB_REG_MULTI_SZ 7u
#define IB_REG_QWORD 11u

/** How to open. A zeroed struct is the default. */
struct ib_hive_options {
	const char *name;  /**< for messages; borrowed */
	GBytes *log1;      /**< content of .LOG1 or NULL; borrowed */
	GBytes *log2;      /**< content of .LOG2 or NULL; borrowed */
	bool accept_dirty; /**< take a dirty hive without usable logs as it is */
};

/**
 * Load a hive; dirty ones (sequence numbers differ) are brought up to date from the logs.
 * @param bytes  the hive file; a reference is taken
 * Throws IB_ERR_INPUT: malformed (with the cell's offset), or dirty without a usable log.
 */
bool ib_hive_load(GBytes *bytes, const struct ib_hive_options *options, struct ib_hive **ret, struct ib_error **err)
	IB_MUST_CHECK;

/** A new hive with only a root key. @param root_name  e.g. "ROOT" */
struct ib_hive *ib_hive_new(const char *root_name);

/** Free; NULL is fine. */
void ib_hive_free(struct ib_hive *hive);

/** Whether anything was changed since loading. */
bool ib_hive_changed(const struct ib_hive *hive);

/**
 * Write the hive: compact, lists sorted, descriptors shared, sequence numbers equal, times as set.
 * The same tree gives the same bytes. Result: g_bytes_unref.
 * @param time  FILETIME for the base block and for keys created or changed since loading
 */
bool ib_hive_save(struct ib_hive *hive, uint64_t time, GBytes **ret, struct ib_error **err) IB_MUST_CHECK;

/* ---- keys ---- */

/** The root key; borrowed. */
struct ib_key *ib_hive_root(struct ib_hive *hive);
/** The key at a path below `from`, or NULL. "" is `from` itself. */
struct ib_key *ib_key_find(struct ib_key *from, const char *path);
/** The key at a path, created with its parents where missing; new keys share the parent's descriptor.
 *  Throws IB_ERR_INPUT for names over 255 units, empty names, or depth over 512. */
bool ib_key_make(struct ib_hive *hive, struct ib_key *from, const char *path, struct ib_key **ret,
		 struct ib_error **err) IB_MUST_CHECK;
/** Remove a key with all below it; the root cannot be removed. */
bool ib_key_remove(struct ib_hive *hive, struct ib_key *key, struct ib_error **err) IB_MUST_CHECK;
/** Number of subkeys, and subkey i in the order of the names; borrowed. */
size_t ib_key_count(const struct ib_key *key);
struct ib_key *ib_key_child(const struct ib_key *key, size_t i);
struct ib_key *ib_key_parent(const struct ib_key *key);
/** Name (UTF-8); borrowed. */
const char *ib_key_name(const struct ib_key *key);
/** Path below the root, "" for the root; owned by the caller (g_free). */
char *ib_key_path(const struct ib_key *key);
/** Last write time, FILETIME. */
uint64_t ib_key_time(const struct ib_key *key);
/** Self-relative security descriptor; borrowed bytes, do not unref; NULL when the hive has none. */
GBytes *ib_key_security(const struct ib_key *key);
/** Set the descriptor; equal ones are shared; borrowed. */
void ib_key_set_security(struct ib_hive *hive, struct ib_key *key, GBytes *descriptor);
/** Class name bytes (UTF-16LE), or NULL; borrowed. */
GBytes *ib_key_class(const struct ib_key *key);

/* ---- values ---- */

/** Number of values. */
size_t ib_key_value_count(const struct ib_key *key);
/** Value i, in the hive's order; borrowed. */
const struct ib_value *ib_key_value_at(const struct ib_key *key, size_t i);
/** By name ("" or NULL: the default value), or NULL. */
const struct ib_value *ib_key_value(const struct ib_key *key, const char *name);
const char *ib_value_name(const struct ib_value *v);
uint32_t ib_value_type(const struct ib_value *v);
/** Raw data; ret_len in bytes; borrowed until the value changes. */
const uint8_t *ib_value_data(const struct ib_value *v, size_t *ret_len);
/** Data as text for SZ/EXPAND_SZ/LINK (trailing NULs dropped); owned by the caller (g_free); NULL for other types. */
char *ib_value_text(const struct ib_value *v);
/** Data as strings for MULTI_SZ; owned by the caller (g_strfreev); NULL for other types. */
char **ib_value_strings(const struct ib_value *v);
/** Data as number for DWORD, QWORD, DWORD_BE. @return false for other types or sizes */
bool ib_value_number(const struct ib_value *v, uint64_t *ret);

/** Set raw data of any type. Throws IB_ERR_INPUT above 64 MiB or a name above 16383 units. */
bool ib_key_set(struct ib_hive *hive, struct ib_key *key, const char *name, uint32_t type, const void *data,
		size_t len, struct ib_error **err) IB_MUST_CHECK;
/** Set SZ or EXPAND_SZ (stored NUL-ended). */
bool ib_key_set_text(struct ib_hive *hive, struct ib_key *key, const char *name, uint32_t type, const char *text,
		     struct ib_error **err) IB_MUST_CHECK;
/** Set MULTI_SZ (stored with two NULs at the end). */
bool ib_key_set_strings(struct ib_hive *hive, struct ib_key *key, const char *name, char *const *strings,
			struct ib_error **err) IB_MUST_CHECK;
/** Set DWORD. */
bool ib_key_set_dword(struct ib_hive *hive, struct ib_key *key, const char *name, uint32_t number,
		      struct ib_error **err) IB_MUST_CHECK;
/** Remove a value; @return whether it was there. */
bool ib_key_unset(struct ib_hive *hive, struct ib_key *key, const char *name);

/* ---- search ---- */

/** One hit; strings are borrowed for the call. value is NULL when the key's own name matched.
 *  @return false to stop the search */
typedef bool (*ib_hive_hit_fn)(struct ib_key *key, const struct ib_value *value, const char *needle, void *data);

/**
 * Find texts in key names, value names and text-like data (SZ, EXPAND_SZ, MULTI_SZ, LINK, and any
 * UTF-16 or ASCII occurrence in binary data), without case.
 * @param needles  NULL-ended; each at least 3 characters
 */
void ib_hive_search(struct ib_hive *hive, const char *const *needles, ib_hive_hit_fn fn, void *data);

/* ---- .reg text ---- */

/**
 * Apply a .reg file (REGEDIT4 or 5.00; UTF-16LE or UTF-8) to the part of it that begins with `root`.
 * @param root  e.g. "HKEY_LOCAL_MACHINE\SOFTWARE": keys below it go into this hive, others are counted in ret_other
 */
bool ib_hive_import(struct ib_hive *hive, const char *root, const char *text, size_t len, const char *name,
		    unsigned *ret_other, struct ib_error **err) IB_MUST_CHECK;

/** Export a key and all below it as .reg 5.00 text (UTF-8, CRLF). Result owned by the caller (g_free). */
char *ib_hive_export(struct ib_key *key, const char *root);

#endif
