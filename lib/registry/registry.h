/**
 * registry: offline hives (regf). Load a hive into a tree, edit it, write a
 * fresh compact hive.
 *
 * Keys and values are found as Windows finds them: without case, by its own
 * upper-case table. Security descriptors are shared. Key paths are UTF-8 with
 * '\' between names. Values keep their type as a raw 32-bit number: every
 * number is legal in a hive. Names may hold NUL units (Windows' own SECURITY hive
 * has such keys): they appear as the two bytes C0 80 in names given out, and are
 * taken back in that form. Upper-casing is base/unicode's table.
 *
 * Key paths may end with one '\'. Symbolic links are keys like others: they are
 * not followed. A key becomes one by its value SymbolicLinkValue of type LINK, and
 * is one no more without it.
 *
 * Keys and values stay where they are until they are removed; a removed one must
 * not be used again. Names live as long as the hive.
 *
 * Source of the format: it is not documented by Microsoft; what is read and written is
 * checked against hivex, reglookup and libregf. None of them knows logs: those follow
 * the published analyses, the hash is checked by Marvin32's test vectors.
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
	bool accept_dirty; /**< take a dirty hive, or one with a wrong checksum, as it is when no log completes it */
};

/**
 * Load a hive; dirty ones (sequence numbers differ, or the checksum is wrong) are brought up to date
 * from the logs. Volatile keys are left out.
 * @param bytes    the hive file; borrowed: nothing of it is kept
 * @param options  borrowed; NULL is the default
 * @param ret      owned by the caller (ib_hive_free)
 * Throws IB_ERR_INPUT: malformed (with the offset in the file), or dirty without a usable log (with a hint);
 * IB_ERR_SYSTEM: out of memory. What is allocated is bounded by the file's size.
 */
bool ib_hive_load(GBytes *bytes, const struct ib_hive_options *options, struct ib_hive **ret, struct ib_error **err)
	IB_MUST_CHECK;

/**
 * A new hive (version 1.5) with only a root key, which SYSTEM and Administrators may use.
 * @param root_name  e.g. "ROOT"; at most 255 characters; copied
 * @return owned by the caller (ib_hive_free)
 */
struct ib_hive *ib_hive_new(const char *root_name);

/** Free; NULL is fine. */
void ib_hive_free(struct ib_hive *hive);

/** Whether anything was changed since loading. Replaying logs and setting what was there are no changes. */
bool ib_hive_changed(const struct ib_hive *hive);

/** What a hive is, and what loading it took. */
struct ib_hive_info {
	uint32_t minor;       /**< of version 1.x */
	uint32_t sequence[2]; /**< of the file as given; equal: clean */
	uint64_t time;        /**< FILETIME of the base block; Windows 10 leaves it 0 in some hives */
	uint64_t newest;      /**< FILETIME of the latest change of a key */
	uint64_t file_bytes;  /**< of the file as given; 0 for a new hive */
	uint64_t keys, values, descriptors, links; /**< as the tree is now */
	unsigned depth;       /**< of the deepest key; the root has 0 */
	bool dirty;           /**< the file alone was not whole */
	unsigned replayed;    /**< entries of logs that completed it; 0 with dirty: it was taken as it is */
	unsigned pages;       /**< pages those entries (sectors, a log of the old kind) wrote */
	unsigned resorted;    /**< keys whose subkeys were not in Windows' order; they are now */
	unsigned left_out;    /**< volatile keys, which do not belong in a file */
};

/** Count and report. */
void ib_hive_info(struct ib_hive *hive, struct ib_hive_info *ret);

/**
 * Write the hive: compact, lists sorted, descriptors shared, sequence numbers equal, times as set.
 * The same tree gives the same bytes. Version, flags and file name of the base block stay, also class
 * names and flags of keys.
 * @param time  FILETIME for the base block and for keys created or changed since loading
 * @param ret   owned by the caller (g_bytes_unref)
 * Throws IB_ERR_INPUT when the hive would grow past 2 GiB, IB_ERR_SYSTEM when memory is out.
 */
bool ib_hive_save(struct ib_hive *hive, uint64_t time, GBytes **ret, struct ib_error **err) IB_MUST_CHECK;

/* ---- keys ---- */

/** The root key; borrowed. */
struct ib_key *ib_hive_root(struct ib_hive *hive);
/** The key at a path below `from`, or NULL; borrowed. "" is `from` itself. */
struct ib_key *ib_key_find(struct ib_key *from, const char *path);
/** The key at a path, created with its parents where missing; new keys share the parent's descriptor.
 *  Throws IB_ERR_INPUT for names over 255 units, empty names, or depth over 512; nothing is made then.
 *  @param ret  borrowed */
bool ib_key_make(struct ib_hive *hive, struct ib_key *from, const char *path, struct ib_key **ret,
		 struct ib_error **err) IB_MUST_CHECK;
/** Remove a key with all below it. Throws IB_ERR_INPUT for the root. */
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
/** Set the descriptor; equal ones are shared; a reference is taken. NULL: none. */
void ib_key_set_security(struct ib_hive *hive, struct ib_key *key, GBytes *descriptor);
/** Whether it is a symbolic link; the target is its value SymbolicLinkValue. */
bool ib_key_is_link(const struct ib_key *key);
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
/** Data as text for SZ/EXPAND_SZ/LINK, up to the first NUL; owned by the caller (g_free); NULL for other types. */
char *ib_value_text(const struct ib_value *v);
/** Data as strings for MULTI_SZ; owned by the caller (g_strfreev); NULL for other types. */
char **ib_value_strings(const struct ib_value *v);
/** Data as number for DWORD, QWORD, DWORD_BE. @return false for other types or sizes */
bool ib_value_number(const struct ib_value *v, uint64_t *ret);

/** Set raw data of any type; setting what is there already changes nothing.
 *  @param name  "" or NULL: the default value; an existing value keeps its spelling
 *  @param data  copied; may be NULL when len is 0
 *  Throws IB_ERR_INPUT above 64 MiB or for a name above 16383 units, IB_ERR_SYSTEM when memory is out. */
bool ib_key_set(struct ib_hive *hive, struct ib_key *key, const char *name, uint32_t type, const void *data,
		size_t len, struct ib_error **err) IB_MUST_CHECK;
/** Set SZ or EXPAND_SZ (stored NUL-ended). Throws as ib_key_set, and IB_ERR_INPUT for text that is not UTF-8. */
bool ib_key_set_text(struct ib_hive *hive, struct ib_key *key, const char *name, uint32_t type, const char *text,
		     struct ib_error **err) IB_MUST_CHECK;
/** Set MULTI_SZ (stored with two NULs at the end). NULL, no string, or one empty string is the empty list.
 *  Throws as ib_key_set_text, and IB_ERR_INPUT for an empty string among others: it would end the list. */
bool ib_key_set_strings(struct ib_hive *hive, struct ib_key *key, const char *name, char *const *strings,
			struct ib_error **err) IB_MUST_CHECK;
/** Set DWORD. Throws as ib_key_set. */
bool ib_key_set_dword(struct ib_hive *hive, struct ib_key *key, const char *name, uint32_t number,
		      struct ib_error **err) IB_MUST_CHECK;
/** Remove a value; @return whether it was there. */
bool ib_key_unset(struct ib_hive *hive, struct ib_key *key, const char *name);

/* ---- paths ---- */

/** A path with its root written out: HKLM, HKU, HKCU; HKCR is HKEY_LOCAL_MACHINE\SOFTWARE\Classes. Others stay as
 *  they are. Owned by the caller (g_free). */
char *ib_reg_full_path(const char *path);
/** The control set of a SYSTEM hive: Select\Default, else Select\Current. @return 0 when neither names one */
unsigned ib_hive_control_set(struct ib_hive *system);
/** A path below SYSTEM with CurrentControlSet, which exists only while Windows runs, replaced by ControlSet<set>;
 *  owned by the caller (g_free). */
char *ib_reg_control_set_path(const char *path, unsigned set);
/** Where the keys of a 32-bit program of 64-bit Windows lie: a path below SOFTWARE, with Wow6432Node put in unless
 *  both kinds of programs share the key (Microsoft: registry keys affected by WOW64). Owned by the caller (g_free). */
char *ib_reg_wow64_path(const char *path);

/* ---- search ---- */

/** One hit; strings are borrowed for the call. value is NULL when the key's own name matched.
 *  @return false to stop the search */
typedef bool (*ib_hive_hit_fn)(struct ib_key *key, const struct ib_value *value, const char *needle, void *data);

/**
 * Find texts in key names, value names and text-like data (SZ, EXPAND_SZ, MULTI_SZ, LINK, and any
 * UTF-16 or ASCII occurrence in binary data), without case. Keys come in the order of their names.
 * Nothing may be changed during the search.
 * @param needles  NULL-ended; borrowed; each at least 3 characters, shorter ones find nothing
 * @param fn       called once for each key name or value and each needle found in it
 */
void ib_hive_search(struct ib_hive *hive, const char *const *needles, ib_hive_hit_fn fn, void *data);

/* ---- differences ---- */

/** What differs. */
enum ib_hive_change {
	IB_HIVE_KEY_ADDED, IB_HIVE_KEY_REMOVED,       /**< with all below it; that is not reported again */
	IB_HIVE_VALUE_ADDED, IB_HIVE_VALUE_REMOVED, IB_HIVE_VALUE_CHANGED,
	IB_HIVE_SECURITY_CHANGED, IB_HIVE_CLASS_CHANGED,
};

/** One difference. The key and value of the side that lacks them are NULL; all borrowed.
 *  @return false to stop */
typedef bool (*ib_hive_diff_fn)(enum ib_hive_change change, struct ib_key *a, struct ib_key *b,
				const struct ib_value *va, const struct ib_value *vb, void *data);

/**
 * Tell what differs from key a to key b and below, in the order of the names; a key's own differences first.
 * Times, the case of names, order of values and the layout of the files do not count.
 * @param fn  called once for each difference; nothing may be changed meanwhile
 */
void ib_hive_diff(struct ib_key *a, struct ib_key *b, ib_hive_diff_fn fn, void *data);

/* ---- .reg text ---- */

/**
 * Apply a .reg file (REGEDIT4 or 5.00; UTF-16LE or UTF-8) to the part of it that begins with `root`.
 * HKCR is HKLM\SOFTWARE\Classes; HKLM\SYSTEM\CurrentControlSet is the set that Select\Default names.
 * @param root       e.g. "HKEY_LOCAL_MACHINE\SOFTWARE" or "HKLM\SOFTWARE": keys below it go into this hive,
 *                   others are counted in ret_other
 * @param name       file name for messages
 * @param ret_other  number of key lines of other hives; may be NULL
 * Throws IB_ERR_INPUT with file:line. The hive may then be half changed: throw it away.
 */
bool ib_hive_import(struct ib_hive *hive, const char *root, const char *text, size_t len, const char *name,
		    unsigned *ret_other, struct ib_error **err) IB_MUST_CHECK;

/** The same as a 32-bit program on 64-bit Windows would write it: keys of HKLM\SOFTWARE that such programs have of
 *  their own go below Wow6432Node. */
bool ib_hive_import_32(struct ib_hive *hive, const char *root, const char *text, size_t len, const char *name,
		       unsigned *ret_other, struct ib_error **err) IB_MUST_CHECK;

/** Export a key and all below it as .reg 5.00 text (UTF-8, CRLF); keys and values whose names the form cannot hold
 *  are left out, with a comment. @param root  stands for the hive's root key. Result owned by the caller (g_free). */
char *ib_hive_export(struct ib_key *key, const char *root);

#endif
