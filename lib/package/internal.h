/* package, private: what its files share. */
#ifndef IB_PACKAGE_INTERNAL_H
#define IB_PACKAGE_INTERNAL_H

#include "package/package.h"
#include "digest/digest.h"

/* Most bytes of a manifest: the largest known have 6 MiB; lib/xml takes no more. */
#define MANIFEST_MAX (64u << 20)
/* Most bytes of a .mum: the root of a cumulative update has about 3 MiB. */
#define MUM_MAX (16u << 20)
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
	GStringChunk *strings;  /* texts that are not verbatim in the XML */
	GHashTable *sddl;       /* definition name -> SDDL, both borrowed from the XML */
};

static inline struct manifest *manifest_of(struct ib_manifest *m)
{
	return (struct manifest *)m;
}

/** Whether ib_manifest_parse() can read bytes of this kind: DCM needs a dictionary, some kinds nobody reads. */
bool package_manifest_readable(GBytes *bytes, GBytes *dictionary);

/**
 * A relative name with '\' between parts. Refuses '..', ':', empty names and parts, and absolute ones.
 * @param ret  in m's string chunk, or the text itself
 */
bool package_relative_name(struct manifest *m, const char *text, const char **ret, struct ib_error **err)
	IB_MUST_CHECK;

/** A destination with macros: refuses parts that are '..'. */
bool package_check_path(const char *path, struct ib_error **err) IB_MUST_CHECK;

/** SDDL of the securityDescriptor below node, or NULL; an undefined name goes to `other`. */
const char *package_sddl(struct manifest *m, const struct ib_xml_node *node);

/** Windows attributes from words or a number; an unknown word goes to `other`. */
uint32_t package_attributes(struct manifest *m, const struct ib_xml_node *node);

bool package_read_files(struct manifest *m, const struct ib_xml_node *root, struct ib_error **err) IB_MUST_CHECK;
bool package_read_directories(struct manifest *m, const struct ib_xml_node *root, struct ib_error **err)
	IB_MUST_CHECK;
bool package_read_registry(struct manifest *m, const struct ib_xml_node *root, struct ib_error **err) IB_MUST_CHECK;
bool package_read_memberships(struct manifest *m, const struct ib_xml_node *root, struct ib_error **err)
	IB_MUST_CHECK;

/** Collect firewallRule and Task nodes, and the names of elements nobody handles. */
void package_read_rest(struct manifest *m, const struct ib_xml_node *root);

/* ---- containers ---- */

/** One member of a container, as package_walk() shows it. */
struct member {
	const char *cab;        /* the inner cabinet it is in, or NULL */
	const char *name;       /* '\' between parts */
	uint64_t size;          /* bytes; UINT64_MAX when unknown */
	struct ib_stream *stream; /* valid for the call */
};

/** @return false with an error thrown to stop */
typedef bool (*member_fn)(const struct member *member, void *data, struct ib_error **err);

/** Something members can be read from, again and again. */
struct container {
	char *path;
	struct ib_input *in;  /* NULL: a folder */
};

/** Show every member once, those of inner cabinets after the cabinet itself; in a fixed order. */
bool package_walk(const struct container *c, member_fn fn, void *data, struct ib_error **err) IB_MUST_CHECK;

/** Name behind the last '\'; borrowed from name. */
const char *package_base_name(const char *name);

/** Whether a name ends so, without case. */
bool package_has_suffix(const char *name, const char *suffix);

/** A file that a member may be. */
struct payload {
	struct ib_payload_entry pub;
};

/** Fill p->payload from the manifests; refuses members that are differentials. */
bool package_index_payload(struct ib_package *p, struct ib_error **err) IB_MUST_CHECK;

/** An opened package. */
struct ib_package {
	struct container container;
	enum ib_package_container kind;
	uint64_t file_size;
	uint64_t payload_bytes;
	char *cabinet;              /* the inner cabinet it came in, or NULL */
	struct ib_mum *root;        /* owned by mums */
	GPtrArray *mums;            /* struct ib_mum *, owned */
	GPtrArray *manifests;       /* struct ib_manifest *, owned */
	GHashTable *mum_index;      /* folded package id -> struct ib_mum * */
	GHashTable *manifest_index; /* folded key form -> struct ib_manifest * */
	GPtrArray *unread;          /* char *, owned */
	GPtrArray *members;         /* struct ib_package_member *, owned */
	GHashTable *compressed;     /* folded file name -> GBytes *: unread manifests, raw */
	GHashTable *payload;        /* folded "<key form>\<file>" -> struct payload * */
	GPtrArray *payloads;        /* struct payload *: the same, in the order of the manifests; owned */
	GBytes *dictionary;         /* or NULL */
};

#endif
