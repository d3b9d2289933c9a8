/**
 * profile: INI profiles and manifests, read through one key table.
 *
 * The table is the schema, the converter and the reference page
 * (`imgbuild profile keys`, docs/profile-keys.md). Unknown sections and keys, a
 * key given twice in one file, missing required keys and values that do not
 * convert are IB_ERR_INPUT with file:line and, where one is near, the key that
 * was probably meant. Nothing in a profile is ever ignored.
 *
 * Syntax: `[section]`, `key = value`, `key += value` (appends to an inherited
 * list). A comment ('#' or ';') fills its own line. A line that begins with
 * white space continues the value above. Lists are separated by commas.
 * `extends` in [profile] merges a parent file first. `${name}` is replaced from
 * [vars] and the variables given by the caller; nothing else is expanded.
 *
 * Secrets never stand in a profile: only references are accepted.
 *
 * Threads: a loaded profile is read-only and may be shared.
 */
#ifndef IB_PROFILE_PROFILE_H
#define IB_PROFILE_PROFILE_H

#include "base/base.h"

/** A profile file has at most this many bytes; the longest real one has 3,000. */
#define IB_INI_MAX (1u << 20)

/** How the text of a value is checked. */
enum ib_ini_type {
	IB_INI_TEXT,    /**< any text */
	IB_INI_PATH,    /**< a path; relative to the folder of the file it stands in */
	IB_INI_LIST,    /**< texts separated by commas */
	IB_INI_PATHS,   /**< paths separated by commas */
	IB_INI_FLAG,    /**< yes, no */
	IB_INI_NUMBER,  /**< a whole number */
	IB_INI_DATE,    /**< YYYY-MM-DD */
	IB_INI_VERSION, /**< four numbers with dots */
	IB_INI_SHA256,  /**< 64 hex digits */
	IB_INI_URL,     /**< scheme://…; a password in it is refused */
	IB_INI_WORD,    /**< one of `words` */
	IB_INI_WORDS,   /**< a list of some of `words` */
	IB_INI_SECRET,  /**< a reference: env:NAME, file:PATH */
	IB_INI_KEY,     /**< a private key: a path, pkcs11: without pin-value, or agent */
	IB_INI_LABEL,   /**< of a disc, and the name of its file: 1 to 30 printable ASCII characters that Windows takes in a name */
};

/** One accepted key. A table of these, ended by a NULL section, is the whole schema. */
struct ib_ini_key {
	const char *section; /**< name; "x:*" stands for all sections that begin with "x:" */
	const char *name;    /**< name; "x.*" stands for all keys that begin with "x."; "*" for any */
	enum ib_ini_type type;
	bool required;
	const char *fallback; /**< the value when absent, or NULL */
	const char *words;    /**< for WORD and WORDS: separated by '|'; for NUMBER its range, "1..100", or NULL */
	const char *help;     /**< one line for the reference */
};

struct ib_ini;

/** What goes with a file. A zeroed struct is the default. */
struct ib_ini_options {
	char *const *sets;     /**< "name=value" pairs, NULL-ended; win over all [vars] */
	const char *vars_file; /**< a file with a [vars] section; wins over the profile's own */
	bool warn_unused;      /**< log a warning for each of `sets` that nothing refers to: it is a slip of the pen */
};

/**
 * Load a file with its parents, expand, check.
 * @param keys  the schema; borrowed, must outlive the result
 * Throws IB_ERR_INPUT with file:line. Result: ib_ini_free.
 */
bool ib_ini_load(const char *path, const struct ib_ini_key *keys, const struct ib_ini_options *options,
		 struct ib_ini **ret, struct ib_error **err) IB_MUST_CHECK;

/**
 * The same from memory.
 * @param text  the file's bytes; borrowed, may hold NUL (refused)
 * @param path  name for messages and base of relative paths
 */
bool ib_ini_parse(const char *text, size_t len, const char *path, const struct ib_ini_key *keys,
		  const struct ib_ini_options *options, struct ib_ini **ret, struct ib_error **err) IB_MUST_CHECK;

/** Free; NULL is fine. */
void ib_ini_free(struct ib_ini *ini);

/** The path the file was loaded from; borrowed. */
const char *ib_ini_path(const struct ib_ini *ini);

/**
 * Text of a key (its fallback when absent); NULL when absent without one; borrowed. Paths are resolved.
 * A key that is no list and has an empty value counts as absent: "key =" takes back what a parent said.
 */
const char *ib_ini_text(const struct ib_ini *ini, const char *section, const char *key);
/** Items of a list; never NULL, empty when absent; borrowed. */
char *const *ib_ini_list(const struct ib_ini *ini, const char *section, const char *key);
/** A number; `absent` when it is not there. */
uint64_t ib_ini_number(const struct ib_ini *ini, const char *section, const char *key, uint64_t absent);
/** A yes/no value; false when absent. */
bool ib_ini_flag(const struct ib_ini *ini, const char *section, const char *key);
/** Whether a list holds a word. */
bool ib_ini_has(const struct ib_ini *ini, const char *section, const char *key, const char *word);
/** Whether the file or a parent sets the key (a fallback does not count). */
bool ib_ini_is_set(const struct ib_ini *ini, const char *section, const char *key);

/** "file.ini:12" of a key, or the file's name when it stands nowhere; owned by the caller (g_free). */
char *ib_ini_place(const struct ib_ini *ini, const char *section, const char *key);

/** One effective entry, for listing. Strings are borrowed from the ini. */
struct ib_ini_entry {
	const char *section, *name, *value;
	const char *file; /**< where it stands; NULL for a fallback */
	unsigned line;
};
/** All effective entries, fallbacks included, in the order of the table; g_array_unref. */
GArray *ib_ini_entries(const struct ib_ini *ini);

/** The schema of profiles (design: one section per stage). */
extern const struct ib_ini_key ib_profile_keys[];
/** The schema of removal manifests, manifests/components/\*.ini. */
extern const struct ib_ini_key ib_component_keys[];
/** The schema of approval policies, manifests/policy/\*.ini. */
extern const struct ib_ini_key ib_policy_keys[];

/** The reference page of a schema: Markdown, one table a section; owned by the caller (g_free). */
char *ib_profile_reference(const struct ib_ini_key *keys);

#endif
