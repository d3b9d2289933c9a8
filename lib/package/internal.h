/* package, private: what its files share. */
#ifndef IB_PACKAGE_INTERNAL_H
#define IB_PACKAGE_INTERNAL_H

#include "package/package.h"
#include "archive/archive.h"
#include "digest/digest.h"
#include "wim/wim.h"

/* Most bytes of a manifest: the largest known have 6 MiB; lib/xml takes no more. */
#define MANIFEST_MAX (64u << 20)
/* Most bytes of a .mum: the root of a cumulative update has about 3 MiB. */
#define MUM_MAX (16u << 20)
/* Most updates of one package: the root of a cumulative update has about 4,000, each of which the registry keeps. */
#define UPDATES_MAX 20000u
/* Most bytes of a .cat: a catalog of 60,000 members stays below. */
#define CATALOG_MAX (16u << 20)
/* Most bytes of metadata held in memory: twenty times that of the largest update known. */
#define METADATA_MAX (UINT64_C(1) << 30)
/* Most members of all containers of a package: a cabinet's own limit is 65,535. */
#define MEMBERS_MAX 100000

/* ---- identities ---- */

/** Whether every field can stand in a file name: a thing's own identity, not a pattern with '*'. */
bool package_identity_is_concrete(const struct ib_identity *id);

/** A copy on the heap; owned by the caller (g_free), its strings are interned. */
struct ib_identity *package_identity_copy(const struct ib_identity *id);

/** Read the assemblyIdentity below node into a fresh copy appended to list. */
bool package_identity_add(const struct ib_xml_node *node, GPtrArray *list, struct ib_error **err) IB_MUST_CHECK;

/* ---- elements nobody handles ---- */

/**
 * A set of texts, becoming a sorted array with each text once. Named, not ignored.
 * @param list  GPtrArray of char *, freed with g_free
 */
void package_other_add(GPtrArray *list, const char *fmt, ...) IB_PRINTF(2, 3);
void package_other_sort(GPtrArray *list);

/* ---- manifests ---- */

/** The manifest with what its public part borrows. */
struct manifest {
	struct ib_manifest pub;
	GStringChunk *strings;  /* texts of the model: the XML may go */
	GHashTable *sddl;       /* while reading: definition name -> SDDL, both in strings */
};

static inline struct manifest *manifest_of(struct ib_manifest *m)
{
	return (struct manifest *)m;
}

/** Whether ib_manifest_parse() can read bytes of this kind: DCM needs a dictionary, some kinds nobody reads. */
bool package_manifest_readable(GBytes *bytes, GBytes *dictionary);

/**
 * A relative name with '\' between parts. Refuses '..', absolute names, and what Windows cannot hold (ib_name_fault()).
 * @param ret  in m's strings
 */
bool package_relative_name(struct manifest *m, const char *text, const char **ret, struct ib_error **err)
	IB_MUST_CHECK;

/** A destination with macros: refuses parts that are '..'. */
bool package_check_path(const char *path, struct ib_error **err) IB_MUST_CHECK;

/** An attribute's value, copied to m's strings; NULL when absent. */
const char *package_attr(struct manifest *m, const struct ib_xml_node *node, const char *name);

/** SDDL of the securityDescriptor below node, or NULL; an undefined name goes to `other`. */
const char *package_sddl(struct manifest *m, const struct ib_xml_node *node);

/** Windows attributes from words or a number; an unknown word goes to `other`. */
uint32_t package_attributes(struct manifest *m, const struct ib_xml_node *node);

bool package_read_files(struct manifest *m, const struct ib_xml_node *root, struct ib_error **err) IB_MUST_CHECK;
bool package_read_directories(struct manifest *m, const struct ib_xml_node *root, struct ib_error **err)
	IB_MUST_CHECK;
bool package_read_registry(struct manifest *m, const struct ib_xml_node *root, struct ib_error **err) IB_MUST_CHECK;
/** Free a struct ib_registry_key with its values. */
void package_free_key(gpointer key);
bool package_read_memberships(struct manifest *m, const struct ib_xml_node *root, struct ib_error **err)
	IB_MUST_CHECK;

/** Collect firewallRule and Task nodes, and the names of elements nobody handles. */
void package_read_rest(struct manifest *m, const struct ib_xml_node *root);

/* ---- names ---- */

/** Name behind the last '\'; borrowed from name. */
const char *package_base_name(const char *name);

/** Whether a name ends so, without case. */
bool package_has_suffix(const char *name, const char *suffix);

/* ---- spool.c ---- */

struct spool;

/** Where something lies in a spool. */
struct place {
	uint64_t at, size;
	bool there;
};

/** A spool in dir (NULL: the usual place); no file is made before the first byte. Any thread may use it. */
struct spool *package_spool_new(const char *dir);
void package_spool_free(struct spool *s);
bool package_spool_add(struct spool *s, GBytes *bytes, struct place *ret, struct ib_error **err) IB_MUST_CHECK;
bool package_spool_read(struct spool *s, const struct place *place, GBytes **ret, struct ib_error **err) IB_MUST_CHECK;
/** A whole stream. size: what it must have, known before. */
bool package_spool_add_stream(struct spool *s, struct ib_stream *stream, uint64_t size, struct ib_progress *progress,
			      struct place *ret, struct ib_error **err) IB_MUST_CHECK;
/** A stream over what lies there; ib_stream_free, before the spool is freed. */
struct ib_stream *package_spool_open(struct spool *s, const struct place *place);
/** A whole stream into an unlinked file of its own. */
bool package_spool_stream(const char *dir, struct ib_stream *stream, const char *name, struct ib_progress *progress,
			  struct ib_input **ret, struct ib_error **err) IB_MUST_CHECK;

/* ---- unit.c ---- */

enum unit_form { UNIT_CAB, UNIT_WIM, UNIT_FOLDER };

/** A file of a unit. */
struct unit_file {
	const char *name;    /* '\' between parts */
	uint64_t size;       /* bytes */
	unsigned folder;     /* cabinet: the folder it is compressed in */
	const uint8_t *hash; /* WIM: its blob, NULL when it is empty */
	struct place kept;   /* cabinet: in the unit's spool, when it was unpacked before */
};

/** One place whose files share one set of names: a cabinet, a WIM's image, a folder. */
struct unit {
	enum unit_form form;
	char *name;              /* of an inner one: that of its file; NULL: the outermost */
	char *path;              /* for messages; a folder's */
	struct ib_input *in;
	struct ib_cabinet *cab;
	struct ib_wim *wim;
	GArray *files;           /* struct unit_file */
	GHashTable *by_name;     /* folded name -> index */
	GStringChunk *names;
	struct spool *spool;     /* of files that are kept; NULL: none */
	uint64_t kept;           /* bytes there */
	struct ib_progress *progress; /* while the package is opened; borrowed, may be NULL */
};

/** Which part of a cabinet's folder is wanted: files first to last of the table, those of other folders apart. */
struct folder_range {
	bool seen, any;
	bool unpack;        /* something wanted is not kept */
	bool keep;          /* what is not wanted is kept */
	guint first, last;
};

/** @return false with an error thrown to stop */
typedef bool (*unit_fn)(guint file, struct ib_stream *stream, void *data, struct ib_error **err);

bool package_unit_open(struct ib_input *in, const char *name, struct unit **ret, struct ib_error **err) IB_MUST_CHECK;
bool package_unit_open_folder(const char *path, struct unit **ret, struct ib_error **err) IB_MUST_CHECK;
void package_unit_free(struct unit *u);
const struct unit_file *package_unit_file(const struct unit *u, guint i);
/** The first file of a name, without case. */
bool package_unit_find(const struct unit *u, const char *name, guint *ret);
/**
 * Read the files that are wanted (a byte for each), in the unit's order, on this thread.
 * @param threads  that decompress a cabinet's folders ahead; 1: none
 */
bool package_unit_each(struct unit *u, const uint8_t *wanted, unsigned threads, unit_fn fn, void *data,
		       struct ib_error **err) IB_MUST_CHECK;
/**
 * The same; other files of the folders of a cabinet that are unpacked for it are kept in a temporary file in dir (NULL:
 * the usual place): from then on they are read there.
 */
bool package_unit_each_keeping(struct unit *u, const uint8_t *wanted, const char *dir, unsigned threads, unit_fn fn,
			       void *data, struct ib_error **err) IB_MUST_CHECK;
/** One folder of a cabinet, from its start to the last file of the range. */
bool package_unit_folder(struct unit *u, unsigned folder, const uint8_t *wanted, const struct folder_range *range,
			 unit_fn fn, void *data, struct ib_error **err) IB_MUST_CHECK;
/** A file for reading at any offset: where it lies if that can be, else out of a temporary file. */
bool package_unit_input(struct unit *u, guint i, const char *spool_dir, struct ib_input **ret, struct ib_error **err)
	IB_MUST_CHECK;
/** A whole file. */
bool package_unit_bytes(struct unit *u, guint i, uint64_t limit, GBytes **ret, struct ib_error **err) IB_MUST_CHECK;

/* ---- ahead.c ---- */

/** All folders of a cabinet that are wanted, `threads` of them being decompressed at once; else as package_unit_each(). */
bool package_unit_ahead(struct unit *u, const uint8_t *wanted, const GArray *ranges, unsigned threads, unit_fn fn,
			void *data, struct ib_error **err) IB_MUST_CHECK;

/* ---- container.c ---- */

/** What a path leads to. Shared by its packages. */
struct container {
	int refs;
	char *path;
	char *spool_dir;     /* or NULL */
	enum ib_package_container kind;
	uint64_t file_size;
	struct ib_input *in; /* NULL: a folder */
	GPtrArray *units;    /* struct unit *, owned; the outermost first */
	struct unit *outer;
	guint members;       /* files of all units */
};

bool package_container_open(const char *path, const struct ib_package_options *options, struct container **ret,
			    struct ib_error **err) IB_MUST_CHECK;
void package_container_unref(struct container *c);
/** The .psf of a unit; NULL: there is none. */
bool package_container_psf(struct container *c, struct unit *unit, struct ib_input **ret, struct ib_error **err)
	IB_MUST_CHECK;
bool package_is_psf(const char *name);

/* ---- cix.c: indexes ---- */

struct hash {
	bool there;
	enum ib_digest_algorithm algorithm;
	uint8_t value[IB_DIGEST_MAX];
};

bool package_hash_fits(const struct hash *h, GBytes *bytes);

enum source_type { SOURCE_NONE, SOURCE_RAW, SOURCE_DELTA, SOURCE_UNKNOWN };
enum basis_type { BASIS_NONE, BASIS_FILE, BASIS_OUTSIDE };

/** One way to make a file. Strings belong to the index. */
struct cix_delta {
	enum source_type source;
	const char *type;        /* as written */
	const char *name;        /* a member; NULL: a range of the .psf */
	uint64_t offset, length;
	struct hash source_hash;
	enum basis_type basis;
	const char *basis_id;    /* BASIS_FILE */
	guint basis_file;
	uint64_t basis_length;   /* BASIS_OUTSIDE; UINT64_MAX: not said */
	struct hash basis_hash;
	const char *basis_name;  /* or NULL */
};

struct cix_file {
	const char *name; /* '\' between parts */
	uint64_t length;
	struct hash hash;
	guint first, count; /* its deltas */
	guint chosen;       /* the one that needs least */
	unsigned line;
};

/** An index, and where its bytes are. */
struct cix {
	char *what;               /* its file name */
	uint64_t container_length;
	GArray *files;            /* struct cix_file */
	GArray *deltas;           /* struct cix_delta */
	GHashTable *by_name, *by_id;
	GStringChunk *strings;
	/* one of these two */
	struct unit *unit;        /* numbered members; borrowed */
	struct ib_input *psf;
	struct spool *spool;      /* borrowed */
	struct place *members;    /* of the unit's files, once fetched */
	struct place *results;    /* of files others are based on, once made; under lock */
	uint8_t *is_basis;
	GMutex lock;
};

/** Throws IB_ERR_INPUT with file and line. */
bool package_cix_parse(GBytes *bytes, const char *what, struct cix **ret, struct ib_error **err) IB_MUST_CHECK;
void package_cix_free(struct cix *c);
const struct cix_file *package_cix_file(const struct cix *c, guint i);
/** The delta chosen for file i. */
const struct cix_delta *package_cix_delta(const struct cix *c, guint i);
bool package_cix_find(const struct cix *c, const char *name, guint *ret);

/* ---- cix_bytes.c ---- */

void package_cix_use_unit(struct cix *c, struct unit *unit, struct spool *spool);
bool package_cix_use_psf(struct cix *c, struct ib_input *psf, struct spool *spool, struct ib_error **err) IB_MUST_CHECK;
/** Numbered members that some files (a byte for each) are made of, into the spool. Once they are there, files may be
 *  made by several threads. */
bool package_cix_fetch(struct cix *c, const uint8_t *files, unsigned threads, struct ib_error **err) IB_MUST_CHECK;
/** Whether a delta's range lies in the .psf. */
bool package_cix_range(const struct cix *c, const struct cix_delta *d, struct ib_error **err) IB_MUST_CHECK;
/** Length and hash of a file. */
bool package_cix_check(const struct cix *c, guint file, GBytes *bytes, struct ib_error **err) IB_MUST_CHECK;

struct cix_result {
	GBytes *bytes; /* the file; owned by the caller */
	bool outside;  /* it needs a base from outside: bytes are the record, NULL when the base itself is the file */
};

/** Make a file out of the package alone, as far as that goes. */
bool package_cix_get(struct cix *c, guint file, struct cix_result *ret, struct ib_error **err) IB_MUST_CHECK;

/* ---- pipeline.c ---- */

struct pipeline;
struct slot;

struct pipeline_ops {
	/** On a worker; leaves result or error in the job. */
	void (*run)(void *job, struct pipeline *pl, struct slot *slot, void *data);
	/** On the thread that puts, in that order. */
	bool (*deliver)(void *job, void *data, struct ib_error **err);
	void (*free)(void *job);
};

/** @param threads  1: jobs run when they are put  @param budget  bytes of all jobs together, but for one */
struct pipeline *package_pipeline_new(unsigned threads, uint64_t budget, const struct pipeline_ops *ops, void *data);
/** Takes job, also on failure. cost: bytes it holds. */
bool package_pipeline_put(struct pipeline *pl, void *job, uint64_t cost, struct ib_error **err) IB_MUST_CHECK;
/** Until all are delivered. */
bool package_pipeline_flush(struct pipeline *pl, struct ib_error **err) IB_MUST_CHECK;
/** Called by run(): it will hold so many bytes more; waits until there is room. */
void package_pipeline_reserve(struct pipeline *pl, struct slot *slot, uint64_t bytes);
/** Called by run(): from now on it holds so many bytes in all. */
void package_pipeline_settle(struct pipeline *pl, struct slot *slot, uint64_t bytes);
/** Stops; jobs not delivered are freed. NULL is fine. */
void package_pipeline_free(struct pipeline *pl);

/* ---- virtual files and payload: files.c ---- */

/** A file the package has, by whatever it is made of. */
struct vfile {
	const char *name;
	uint64_t size;      /* as the package has it */
	struct cix *cix;    /* NULL: a member of the unit */
	guint at;           /* in the index, or in the unit */
	struct payload *payload; /* or NULL: no manifest names it */
	enum ib_payload_kind kind;
};

/** A file that a manifest names. */
struct payload {
	struct ib_payload_entry pub;
	struct vfile *vfile[IB_PAYLOAD_KINDS]; /* what brings it, or NULL */
	const struct cix_delta *history;       /* which base its forward differential has, or what it is carried from */
	guint index;                           /* in p->payloads */
};

/** Fill p->vfiles from unit and indexes. */
bool package_list_files(struct ib_package *p, struct ib_error **err) IB_MUST_CHECK;
/** Fill p->payload and p->payloads from the manifests and vfiles. */
bool package_index_payload(struct ib_package *p, struct ib_error **err) IB_MUST_CHECK;

/* ---- make.c: differentials to files ---- */

/** Where bases come from, for one package. */
struct maker {
	const struct ib_package *p;
	const struct ib_payload_source *source; /* or NULL */
};

/** Whether bytes are the file its manifest means. Throws IB_ERR_VERIFY. */
bool package_check_file(const struct payload *pl, GBytes *bytes, struct ib_error **err) IB_MUST_CHECK;

/**
 * The bytes of a virtual file; member: those of a member, already read, else NULL. A record that makes it may need a
 * base of the source. *ret NULL: it cannot be had, why is appended to.
 */
bool package_vfile_bytes(const struct maker *m, const struct vfile *vf, GBytes *member, GBytes **ret, GString *why,
			 struct ib_error **err) IB_MUST_CHECK;

/**
 * Make a file of its differentials, or get it from elsewhere.
 * @param records  by kind; NULL where there is none
 * @param ret      NULL: it cannot be had, why says the reason
 * @param ret_bad  whether a record led to something with a wrong hash
 */
bool package_make_file(const struct maker *m, const struct payload *pl, GBytes *const records[IB_PAYLOAD_KINDS],
		       GBytes **ret, GString *why, bool *ret_bad, struct ib_error **err) IB_MUST_CHECK;

/* ---- metadata.c ---- */

/** Read mums, catalogs and manifests of p->unit. */
bool package_read_metadata(struct ib_package *p, struct ib_error **err) IB_MUST_CHECK;

/** An opened package. */
struct ib_package {
	struct container *container; /* a reference */
	struct unit *unit;           /* borrowed from it */
	enum ib_package_container kind;
	uint64_t payload_bytes;
	struct cix *cix;            /* of numbered members, or NULL */
	struct cix *psf_index;      /* of a .psf, or NULL */
	struct cix *history;        /* which bases its differentials have, or NULL */
	struct spool *spool;
	struct ib_mum *root;        /* owned by mums */
	GPtrArray *mums;            /* struct ib_mum *, owned */
	GPtrArray *manifests;       /* struct ib_manifest *, owned */
	GHashTable *mum_index;      /* folded package id -> struct ib_mum * */
	GHashTable *manifest_index; /* folded key form -> struct ib_manifest * */
	GPtrArray *unread;          /* char *, owned */
	GPtrArray *members;         /* struct ib_package_member *, owned */
	GHashTable *compressed;     /* folded file name -> GBytes *: unread manifests, raw */
	GPtrArray *vfiles;          /* struct vfile *, owned: members, then indexed files */
	GHashTable *payload;        /* folded "<key form>\<file>" -> struct payload * */
	GPtrArray *payloads;        /* struct payload *: the same, in the order of the manifests; owned */
	GBytes *dictionary;         /* or NULL */
	struct ib_package_opening *opening; /* who gives the dictionary later, or NULL; borrowed, while it is being opened */
	unsigned threads;           /* at least 1 */
	bool will_read;             /* payload is going to be read */
};

/* ---- package.c, opening.c ---- */

/** ib_package_open_all(); opening: who gives the dictionary later, or NULL. */
bool package_open_path(const char *path, const struct ib_package_options *options, struct ib_package_opening *opening,
		       GPtrArray **ret, struct ib_error **err) IB_MUST_CHECK;
/** False when the opening was cancelled. NULL goes on. */
bool package_opening_goes_on(struct ib_package_opening *o, struct ib_error **err) IB_MUST_CHECK;
/** Wait for the dictionary; owned by the caller (g_bytes_unref), NULL when there is none. */
GBytes *package_opening_dictionary(struct ib_package_opening *o);

#endif
