/**
 * driver: INF files and driver packages. Reads INF text, chooses what a target system would choose in it,
 * says what its sections ask for, and proves that a catalog covers every file of a package.
 *
 * Nothing here changes an image: an install section becomes a list of actions (files, registry values, services),
 * and what nobody here understands becomes a line in `left`. Carrying them out is lib/servicing's.
 *
 * Names of sections and keys compare without case. Every text that becomes a path is checked: no "..", no drive,
 * no device. Source: the INF reference of the Windows driver documentation, and Wine's setupapi where that is silent.
 *
 * Threads: an INF is read-only once parsed and may be shared; a package belongs to one thread at a time.
 */
#ifndef IB_DRIVER_DRIVER_H
#define IB_DRIVER_DRIVER_H

#include "base/base.h"
#include "digest/digest.h"
#include "trust/trust.h"

/* ---- INF text ---- */

/** Bytes of an INF file; the longest ones of Windows have 3 million. */
#define IB_INF_MAX (16u << 20)

struct ib_inf; /**< a parsed INF file */

/** One line of a section: `key = field, field` or `field, field`. All borrowed from the INF. */
struct ib_inf_line {
	const char *key;     /**< NULL when there is no '=' */
	char **fields;       /**< NULL-ended; %strings% are replaced; see ib_inf_expand() for %11% */
	unsigned count;      /**< of fields */
	unsigned line;       /**< where it begins in the file, 1-based */
};

/** One section; those of the same name are one. */
struct ib_inf_section {
	const char *name;    /**< as it was first written */
	GPtrArray *lines;    /**< struct ib_inf_line *, in the order of the file */
};

/**
 * Parse an INF: UTF-16LE or UTF-8 with mark, else UTF-8, else the code page of the language (936 for Chinese,
 * Windows-1252 when it has none of its own), as Windows of that language does.
 * @param bytes     borrowed
 * @param name      for messages; copied
 * @param language  LANGID whose [Strings.xxxx] come before [Strings], and which tells the code page; 0: none
 * @param ret       owned by the caller (ib_inf_free)
 * Throws IB_ERR_INPUT with file:line; IB_ERR_SYSTEM when iconv lacks the code page.
 */
bool ib_inf_parse(GBytes *bytes, const char *name, uint16_t language, struct ib_inf **ret, struct ib_error **err)
	IB_MUST_CHECK;
/** Free; NULL is fine. */
void ib_inf_free(struct ib_inf *inf);
/** Cleanup form. */
void ib_inf_clear(struct ib_inf **inf);
#define ib_auto_inf IB_CLEANUP(ib_inf_clear) struct ib_inf *

/** The name it was parsed by; borrowed. */
const char *ib_inf_name(const struct ib_inf *inf);
/** How many sections it has. */
size_t ib_inf_count(const struct ib_inf *inf);
/** Section i in the order of the file; borrowed. */
const struct ib_inf_section *ib_inf_at(const struct ib_inf *inf, size_t i);
/** A section by name, or NULL; borrowed. */
const struct ib_inf_section *ib_inf_section(const struct ib_inf *inf, const char *name);
/** Field i (0-based) of the first line with a key, or NULL; borrowed. */
const char *ib_inf_value(const struct ib_inf *inf, const char *section, const char *key, unsigned i);

/** How a directory number is written into a text. */
enum ib_inf_paths {
	IB_INF_IMAGE,  /**< relative to the image's root: "Windows\System32" */
	IB_INF_FULL,   /**< as a running system says it: "C:\Windows\System32" */
	IB_INF_SYSTEM, /**< relative to the Windows folder, as ImagePath of a driver: "System32\drivers" */
};

/**
 * A field with its directory numbers (%11%) written out.
 * @param store  the package's folder below FileRepository, for %13%; NULL: %13% is unknown
 * @return owned by the caller (g_free); NULL when a number is unknown or the form cannot say it
 */
char *ib_inf_expand(const char *field, enum ib_inf_paths form, const char *store);

/** The folder of a directory number in an image, without '\' at its end; NULL when it is unknown; "" is the root.
 *  Borrowed. 13 is unknown here. */
const char *ib_inf_directory(unsigned number);

/* ---- choosing ---- */

/** The system a package is for. */
struct ib_driver_target {
	const char *arch;             /**< amd64, x86, arm64 */
	uint32_t major, minor, build; /**< 10, 0, 17763 */
	uint16_t language;            /**< LANGID */
	bool server;
};

/** Whether "NTamd64.10.0...17763" fits a target. ret_rank: the higher one is the closer one; may be NULL. */
bool ib_inf_decoration(const char *text, const struct ib_driver_target *t, uint64_t *ret_rank);

/** The section `name` with the decoration that fits best, or without one; NULL when there is none; borrowed. */
const struct ib_inf_section *ib_inf_best_section(const struct ib_inf *inf, const char *name,
						 const struct ib_driver_target *t);

/** One device that the package supports on the target. Borrowed from the INF. */
struct ib_driver_model {
	const char *description;
	const char *manufacturer;
	const struct ib_inf_section *install; /**< its DDInstall section, chosen */
	char *const *ids;                     /**< hardware id first, then compatible ids; NULL-ended */
	unsigned line;
};

/**
 * The devices for a target, in the order of the file.
 * @param ret  struct ib_driver_model *; g_ptr_array_unref. Empty: the INF has none for this target
 * Throws IB_ERR_INPUT: a model without section.
 */
bool ib_inf_models(const struct ib_inf *inf, const struct ib_driver_target *t, GPtrArray **ret, struct ib_error **err)
	IB_MUST_CHECK;

/* ---- what an install section asks for ---- */

/** Copy a file of the package. Strings are owned by the actions. */
struct ib_driver_copy {
	char *source;   /**< name in SourceDisksFiles */
	char *path;     /**< in the image; %13% is left as "<store>\name" with store = true */
	bool store;     /**< stays in the driver store: path is its name only */
	uint32_t flags; /**< as written */
	unsigned line;
};

enum ib_driver_root { IB_DRIVER_HKR, IB_DRIVER_HKLM, IB_DRIVER_HKCR, IB_DRIVER_HKCU, IB_DRIVER_HKU };

/** Set or delete a registry value or key. */
struct ib_driver_value {
	enum ib_driver_root root;
	char *key;         /**< below root */
	char *name;        /**< "" is the default value */
	uint32_t type;     /**< REG_… number */
	uint32_t flags;    /**< FLG_ADDREG_… as written */
	GByteArray *data;  /**< as it is stored; empty list of strings: two NULs */
	char **strings;    /**< of a MULTI_SZ, for appending; else NULL */
	bool remove;       /**< delete the value */
	bool remove_key;   /**< delete the key with all below */
	unsigned line;
};
/* Bits of flags. */
#define IB_DRIVER_NO_CLOBBER 0x2u
#define IB_DRIVER_DELETE 0x4u
#define IB_DRIVER_APPEND 0x8u
#define IB_DRIVER_KEY_ONLY 0x10u
#define IB_DRIVER_OVERWRITE_ONLY 0x20u
#define IB_DRIVER_32BIT 0x4000u

/** Install a service. NULL: not given. Paths as ib_inf_expand() leaves fields: still with directory numbers. */
struct ib_driver_service {
	char *name, *display, *description, *binary, *group, *account, *security;
	bool associated;      /**< it is the device's function driver */
	char **dependencies;  /**< services; groups begin with '+'; NULL: none */
	uint32_t type, start, error_control;
	GPtrArray *values;    /**< struct ib_driver_value *: HKR is the service's key */
	GPtrArray *events;    /**< the same of its event log section: HKR is its key below EventLog\System */
	unsigned line;
};
#define IB_DRIVER_START_BOOT 0u

/** What was asked for. */
struct ib_driver_actions {
	GPtrArray *copies;    /**< struct ib_driver_copy * */
	GPtrArray *values;    /**< struct ib_driver_value *: HKR is the driver's own key */
	GPtrArray *device_values; /**< the same of the .HW section: HKR is the device's key */
	GPtrArray *services;  /**< struct ib_driver_service * */
	GPtrArray *left;      /**< char *: directives nobody here carries out, with their line, each once */
	uint64_t lines;       /**< read so far: bounded */
};
/** Free what is inside; the struct is the caller's. */
void ib_driver_actions_clear(struct ib_driver_actions *a);

/** Opens another INF by its file name, for Include. *ret NULL: there is none. The result is the caller's (ib_inf_free). */
typedef bool (*ib_inf_open_fn)(const char *name, struct ib_inf **ret, void *data, struct ib_error **err);

/** How to read install sections. */
struct ib_driver_request {
	const struct ib_driver_target *target;
	ib_inf_open_fn include; /**< NULL: included files are named in `left` */
	void *data;             /**< for include */
};

/**
 * All that a chosen install section, its .Services and its .HW ask for, added to ret (zeroed before the first call), which
 * is to be cleared also on failure. ib_inf_section of `inf`.
 * Throws IB_ERR_INPUT with file:line: a section that is named and missing, a path that leaves its folder, a number
 * that is none, Include in a circle.
 */
bool ib_driver_read_install(const struct ib_inf *inf, const struct ib_inf_section *install,
			    const struct ib_driver_request *request, struct ib_driver_actions *ret,
			    struct ib_error **err) IB_MUST_CHECK;

/* ---- packages ---- */

/** One file of a package. */
struct ib_driver_file {
	char *name;           /**< relative to the package, '\' between names; in the driver store too */
	char *path;           /**< on this machine */
	uint64_t size;
	uint8_t sha1[IB_DIGEST_MAX]; /**< of the whole file, as it was judged */
};

/** A driver package. */
struct ib_driver {
	struct ib_inf *inf;
	GBytes *inf_bytes;
	GBytes *catalog;        /**< NULL: it has none */
	char *inf_name;         /**< file name, as it is on this machine */
	char *catalog_name;     /**< as the INF names it; NULL: it names none */
	const char *provider, *class_name, *class_guid; /**< borrowed from inf; NULL when not given */
	uint64_t date;          /**< FILETIME; 0 when not given */
	uint16_t version[4];
	GPtrArray *files;       /**< struct ib_driver_file *: what SourceDisksFiles lists for the target, by name */
	GPtrArray *missing;     /**< char *: listed there, not delivered */
	GPtrArray *models;      /**< struct ib_driver_model *; empty: a package without devices */
	const struct ib_inf_section *standalone; /**< its DefaultInstall section for the target, or NULL */
	char *signer, *anchor;  /**< subjects, set by ib_driver_verify() */
	char *store_name;       /**< its folder below FileRepository: <inf>_<arch>_<hash> */
};

/**
 * Open a package: an .inf file, or a folder that holds exactly one.
 * @param ret  owned by the caller (ib_driver_free)
 * Throws IB_ERR_INPUT: malformed, a listed path leaves the package; IB_ERR_NOT_APPLICABLE: nothing in it is for the
 * target; IB_ERR_SYSTEM.
 */
bool ib_driver_open(const char *path, const struct ib_driver_target *t, struct ib_driver **ret, struct ib_error **err)
	IB_MUST_CHECK;
/** Free; NULL is fine. */
void ib_driver_free(struct ib_driver *d);

/**
 * Verify: the catalog that the INF names is there, is signed up to an anchor, and lists the INF and every file, by
 * the SHA-256 or SHA-1 of its bytes or, for programs, of their Authenticode content.
 * Throws IB_ERR_VERIFY naming the file.
 */
bool ib_driver_verify(struct ib_driver *d, const struct ib_anchors *anchors, struct ib_error **err) IB_MUST_CHECK;

/** A file by its name in SourceDisksFiles (without folder), or NULL; borrowed. */
const struct ib_driver_file *ib_driver_file(const struct ib_driver *d, const char *name);

/** Name of a package's folder in the driver store; owned by the caller (g_free). */
char *ib_driver_store_name(const char *inf_name, const char *arch, GBytes *inf_bytes);

#endif
