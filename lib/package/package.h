/**
 * package: what arrives. Containers (.msu, .cab, expanded folder), the models
 * of .mum and .manifest files, the names made from identities, the chain of
 * trust catalog -> mum -> manifest -> file, and payload in all its forms.
 *
 * Opening a package reads its metadata (.mum, .cat, .manifest) and keeps it in
 * memory; payload is read later, in the container's own order, by
 * ib_package_each_payload(), which also makes files out of differentials. No
 * tree is extracted: what must be read out of order, or again, goes to an unlinked file.
 *
 * What a component's file may come as:
 *   - complete, as a member of the container, or as a range of a .psf;
 *   - as a differential in the component's folder f (against an older version),
 *     n (against nothing) or r (from this version to the older one, for later);
 *   - through an index: "_manifest_.cix.xml" (numbered members, deltas against
 *     each other) or "express.psf.cix.xml" (ranges of a .psf).
 *
 * Names in packages compare without case. Format facts: docs/formats/cbs.md and
 * docs/formats/payload.md.
 */
#ifndef IB_PACKAGE_PACKAGE_H
#define IB_PACKAGE_PACKAGE_H

#include "base/base.h"
#include "delta/delta.h"
#include "trust/trust.h"
#include "xml/xml.h"

/* ---- identities and names ---- */

/** A version of four numbers. */
struct ib_version {
	uint32_t part[4]; /**< major, minor, build, revision */
};

/** "10.0.17763.1" to a version; missing parts are 0, none exceeds 65535. @return false when it is not one */
bool ib_version_parse(const char *text, struct ib_version *ret);
/** Text of a version; owned by the caller (g_free). */
char *ib_version_text(const struct ib_version *v);
/** <0, 0, >0 */
int ib_version_compare(const struct ib_version *a, const struct ib_version *b);

/** An assemblyIdentity. Absent attributes are NULL. Strings are interned (g_intern_string): borrowed for ever. */
struct ib_identity {
	const char *name;
	const char *version;       /**< verbatim */
	struct ib_version number;  /**< parsed */
	const char *arch;          /**< processorArchitecture: amd64, wow64, x86, msil … */
	const char *culture;       /**< language; NULL when neutral */
	const char *token;         /**< publicKeyToken */
	const char *type;          /**< win32, win32-policy, dualModeDriver … */
	const char *scope;         /**< versionScope */
	const char *build_type;    /**< never part of a key */
};

/**
 * Read an assemblyIdentity element. IB_ERR_INPUT when name or version is missing or malformed, or a field holds
 * what no file name may. A '*' alone is accepted (patterns in parents); as language it is neutral, so NULL.
 */
bool ib_identity_read(const struct ib_xml_node *node, struct ib_identity *ret, struct ib_error **err) IB_MUST_CHECK;

/** The forms of a component's name (specs: key form). */
enum ib_keyform {
	IB_KEYFORM_LONG,   /**< WinSxS folders, manifests, DerivedData\Components */
	IB_KEYFORM_SHORT,  /**< CanonicalData\Deployments, c! values */
	IB_KEYFORM_FAMILY, /**< Winners, ComponentFamilies */
};

/** The hash under all names: 64 bits over a lower-cased text. */
uint64_t ib_keyform_hash(const char *text);
/** Name in a form; owned by the caller (g_free). */
char *ib_keyform(const struct ib_identity *id, enum ib_keyform form);
/** Package id `Name~token~arch~lang~version`; owned by the caller (g_free). */
char *ib_package_id(const struct ib_identity *id);
/** Identity text of COMPONENTS' `identity` values; owned by the caller (g_free). */
char *ib_identity_text(const struct ib_identity *id);
/** `f!` value name of a file; owned by the caller (g_free). */
char *ib_file_value_name(const char *file);
/** `CBS_…` part of p!, s!, i! value names for <package id>.<update>; owned by the caller (g_free). */
char *ib_update_value_name(const char *package_id, const char *update);

/* ---- component manifests ---- */

/** A file of a component. */
struct ib_file {
	const char *name;             /**< payload name below the component's folder, '\' between parts */
	const char *destination_path; /**< with macros; NULL: store only */
	const char *destination_name; /**< differs from name only in rare manifests; never NULL */
	const char *sddl;             /**< of its descriptor definition, or NULL */
	uint32_t attributes;          /**< Windows attributes; 0 when not given */
	uint8_t sha256[32];
	uint8_t sha1[20];             /**< when the manifest gives SHA-1 instead */
	bool has_sha256;
	bool has_sha1;
	GPtrArray *links;             /**< const char *: further destinations (paths with macros), may be NULL */
};

struct ib_directory {
	const char *path; /**< with macros */
	const char *sddl; /**< or NULL */
	uint32_t attributes;
};

struct ib_registry_value {
	const char *name;  /**< "" is the default value */
	const char *type;  /**< as written: REG_SZ, …, or eight hex digits */
	const char *value; /**< as written, may be NULL */
	const char *hint;  /**< operationHint or NULL */
	bool mutable_;     /**< a present value may stay */
};

struct ib_registry_key {
	const char *path;    /**< with its root: HKEY_LOCAL_MACHINE\… */
	const char *sddl;    /**< or NULL */
	GPtrArray *values;   /**< struct ib_registry_value * */
};

/** A service, from categoryMembership Service/serviceData: attributes verbatim, NULL when absent. */
struct ib_service {
	const char *name, *display_name, *description, *error_control, *start, *type, *image_path, *object_name,
		*group, *tag, *depend_on_service, *depend_on_group, *required_privileges, *sid_type,
		*launch_protected, *sddl;
	const struct ib_xml_node *node; /**< serviceData, for triggers and failure actions */
};

struct ib_svchost_entry {
	const char *group;
	const char *service;
};

/** A folder of the system's search path, from categoryMembership Environment/path. */
struct ib_search_path {
	const char *folder;  /**< as written: "%SYSTEMROOT%\System32\OpenSSH\" */
	bool first;          /**< position="first"; else behind those that are there */
};

/** A parsed .manifest. Strings live as long as the manifest. */
struct ib_manifest {
	struct ib_identity id;
	char *keyform;             /**< long form, recomputed from the identity */
	GBytes *stored;            /**< the bytes as they came (to be stored) */
	uint8_t sha256[32];        /**< of the decompressed XML */
	bool is_deployment;
	bool is_empty;             /**< it has an identity and nothing else */
	bool has_migration;        /**< it has rules for an in-place upgrade of the system it is installed in */
	GPtrArray *dependencies;   /**< struct ib_identity *: install dependencies (a deployment's components) */
	GPtrArray *files;          /**< struct ib_file * */
	GPtrArray *directories;    /**< struct ib_directory * */
	GPtrArray *registry;       /**< struct ib_registry_key * */
	GPtrArray *services;       /**< struct ib_service * */
	GPtrArray *svchost;        /**< struct ib_svchost_entry * */
	GPtrArray *search_path;    /**< struct ib_search_path * */
	GPtrArray *firewall;       /**< const struct ib_xml_node *: firewallRule */
	GPtrArray *tasks;          /**< const struct ib_xml_node *: taskScheduler/Task */
	GPtrArray *other;          /**< const char *: names of elements nobody here handles, sorted, each once */
	struct ib_xml *xml;        /**< for nodes above, instrumentation and string tables; NULL when none of them is there */
};

/**
 * The XML of a manifest.
 * @param bytes       as stored, plain or compressed (DCM, DCN, DCS); borrowed
 * @param dictionary  for DCM, as below; borrowed
 * @param ret         owned by the caller (g_bytes_unref)
 */
bool ib_manifest_text(GBytes *bytes, GBytes *dictionary, GBytes **ret, struct ib_error **err) IB_MUST_CHECK;

/**
 * Parse a manifest.
 * @param bytes       as stored, plain or compressed (DCM, DCN, DCS); a reference is kept
 * @param dictionary  for DCM: ib_dcm_dictionary() of the servicing stack; borrowed. NULL: DCM is refused by name
 * @param name        file name for messages, e.g. "<keyform>.manifest": a key form in it that differs from
 *                    the identity's is IB_ERR_INPUT (a free integrity check)
 * Result: ib_manifest_free.
 */
bool ib_manifest_parse(GBytes *bytes, GBytes *dictionary, const char *name, struct ib_manifest **ret,
		       struct ib_error **err) IB_MUST_CHECK;
/** Free; NULL is fine. */
void ib_manifest_free(struct ib_manifest *m);

/* ---- package manifests ---- */

/** One parent element: any one of the identities suffices. */
struct ib_parent {
	GPtrArray *identities; /**< struct ib_identity * */
	const char *build_compare, *revision_compare, *service_compare, *distribution_compare; /**< EQ, GE … or NULL */
	const char *integrate, *disposition;
};

/** A capability: what features on demand are called by name. */
struct ib_needed_capability {
	const char *name, *version; /**< "OpenSSH.Server", "1.0"; version may be NULL */
	const char *language;       /**< or NULL */
};

/** One update of a package. */
struct ib_update {
	const char *name;
	const char *display_name;   /**< or NULL */
	GPtrArray *components;      /**< struct ib_identity *: deployments */
	GPtrArray *packages;        /**< struct ib_identity *: child packages */
	GPtrArray *integrate;       /**< const char *: how each of them is integrated ("hidden"), or NULL */
	bool selectable;            /**< an optional feature */
	bool default_on;            /**< detectNone default="true" */
	const char *detect_parent;  /**< applicable/detectUpdate: package identity text …, or NULL */
	const char *detect_update;  /**< … and the feature name it follows, or NULL */
	GPtrArray *other;           /**< const char *: child elements not understood */
};

/** A parsed .mum. Strings live as long as the mum. */
struct ib_mum {
	struct ib_identity id;
	char *package_id;
	const char *release_type, *identifier, *description, *support_url, *restart, *permanence;
	GPtrArray *parents;      /**< struct ib_parent *; alternatives */
	struct ib_version installer; /**< installerAssembly: least servicing stack; zeros: none */
	const char *capability;  /**< capabilityIdentity name, or NULL */
	const char *capability_version;
	const char *capability_language; /**< of a language's part of a capability, or NULL */
	GPtrArray *needs;        /**< struct ib_needed_capability *: capabilities it depends on */
	const char *satellite_of_language; /**< satelliteInfo/applyTo: it is a capability's part for images that have this
						language; NULL: it is none */
	bool has_satellites;     /**< satelliteInfo/declare or require: the capability has such parts */
	const char *package_format; /**< customInformation PackageFormat (PSFX …), or NULL */
	GPtrArray *updates;      /**< struct ib_update * */
	GBytes *bytes;           /**< the file */
	GBytes *catalog;         /**< the .cat that goes with it, or NULL */
	GPtrArray *other;        /**< const char *: children of package nobody here handles, sorted, each once */
};

/* ---- capabilities by name ---- */

/**
 * How DISM calls a capability: "OpenSSH.Server~~~~0.0.1.0", "Language.Basic~~~de-DE~0.0.1.0". A version has four parts
 * there, filled up from the left; without one nothing stands at the end.
 * @param language, version  as in capabilityIdentity; may be NULL
 * @return owned by the caller (g_free)
 */
char *ib_capability_text(const char *name, const char *language, const char *version);

/** What somebody calls a capability. */
struct ib_capability_name {
	char *name;
	char *language;   /**< NULL: not said; "": the one without a language */
	char *version;    /**< four parts; NULL: not said */
};

/**
 * Read "OpenSSH.Server", or all of what ib_capability_text() gives; a version may also be written as manifests do.
 * @param ret  clear with ib_capability_name_clear()
 * Throws IB_ERR_INPUT when it is neither.
 */
bool ib_capability_name_parse(const char *text, struct ib_capability_name *ret, struct ib_error **err) IB_MUST_CHECK;
/** Free what is inside. */
void ib_capability_name_clear(struct ib_capability_name *n);
/** Whether a capability's name and version are those; what was not said fits all. Its language is not looked at. */
bool ib_capability_name_fits(const struct ib_capability_name *n, const char *name, const char *version);

/**
 * The root package manifest of a cabinet, without a look at anything else: no signature is judged.
 * @param ret  ib_mum_free(); NULL when the cabinet has none, and so is no package
 * Throws as ib_package_open().
 */
bool ib_mum_of_cabinet(const char *path, struct ib_mum **ret, struct ib_error **err) IB_MUST_CHECK;

/** Parse a .mum; a reference on bytes is kept. Result: ib_mum_free. */
bool ib_mum_parse(GBytes *bytes, const char *name, struct ib_mum **ret, struct ib_error **err) IB_MUST_CHECK;
/** Free; NULL is fine. */
void ib_mum_free(struct ib_mum *m);

/* ---- packages ---- */

struct ib_package;

/** What a package came in. */
enum ib_package_container {
	IB_PACKAGE_CAB,     /**< a cabinet */
	IB_PACKAGE_MSU_CAB, /**< an .msu that is a cabinet of cabinets */
	IB_PACKAGE_MSU_WIM, /**< an .msu that is a WIM (Windows 11 24H2 and later) */
	IB_PACKAGE_FOLDER,  /**< either of them, expanded */
};

/** How to open; zeroed (but for size) means the defaults. */
struct ib_package_options {
	size_t size;           /**< sizeof this struct */
	GBytes *dictionary;    /**< manifest dictionary of the image's servicing stack (ib_dcm_dictionary()); a reference is
				    kept. NULL: DCM manifests stay in ib_package_unread() */
	const char *spool_dir; /**< folder for unlinked temporary files; copied. NULL: /var/tmp */
	unsigned threads;      /**< for opening; 0: number of processors */
	bool payload;          /**< its payload will be read: what of it is unpacked on the way to the metadata stays in a
				    temporary file, up to 4 GiB, and is not unpacked again */
	struct ib_progress *progress; /**< told of bytes unpacked, and asked whether to stop, while the package is opened;
				    borrowed as long. NULL: none */
};

/**
 * Open a .msu, a .cab or an expanded folder that holds one package, and read its metadata.
 * A .psf is looked for in the container, or beside a cabinet under the cabinet's name; when a .psf is named itself, its
 * cabinet is looked for beside it.
 * @param options  borrowed; NULL for the defaults
 * Throws IB_ERR_INPUT for anything malformed and for a container with several packages (servicing stack and
 * update), naming them; IB_ERR_VERIFY when something has another hash than an index says; IB_ERR_SYSTEM when reading
 * fails. Result: ib_package_free.
 */
bool ib_package_open(const char *path, const struct ib_package_options *options, struct ib_package **ret,
		     struct ib_error **err) IB_MUST_CHECK;

/**
 * The same for a container that may hold several packages (an .msu with servicing stack and update).
 * @param ret  struct ib_package *, servicing stacks first, then in the container's order; at least one. Owned by the
 *             caller (g_ptr_array_unref frees the packages)
 * Throws as ib_package_open().
 */
bool ib_package_open_all(const char *path, const struct ib_package_options *options, GPtrArray **ret,
			 struct ib_error **err) IB_MUST_CHECK;

/**
 * The same on a thread of its own: the package is unpacked while the caller opens the image that gives the dictionary.
 * Who begins must either end or cancel.
 */
struct ib_package_opening;
/** @param options  copied; its dictionary is not looked at. NULL for the defaults */
struct ib_package_opening *ib_package_open_begin(const char *path, const struct ib_package_options *options);
/**
 * Wait until the package is open.
 * @param o           taken
 * @param dictionary  as in struct ib_package_options
 * @param ret         as of ib_package_open_all()
 * Throws as ib_package_open().
 */
bool ib_package_open_end(struct ib_package_opening *o, GBytes *dictionary, GPtrArray **ret, struct ib_error **err)
	IB_MUST_CHECK;
/** Stop as soon as possible. NULL is fine. */
void ib_package_open_cancel(struct ib_package_opening *o);

/** Free; NULL is fine. */
void ib_package_free(struct ib_package *p);

/** File name it was opened by; borrowed. */
const char *ib_package_path(const struct ib_package *p);
/** Name of the inner cabinet it came in, or NULL; borrowed. */
const char *ib_package_cabinet(const struct ib_package *p);
/** What it came in. An .msu is a container whose root package is in an inner cabinet. */
enum ib_package_container ib_package_container(const struct ib_package *p);
/** Size of the file in bytes. */
uint64_t ib_package_file_size(const struct ib_package *p);
/** The root package (update.mum, renamed to its id). */
const struct ib_mum *ib_package_root(const struct ib_package *p);
/** All mums, root first, the others by package id: const struct ib_mum *; borrowed. */
const GPtrArray *ib_package_mums(const struct ib_package *p);
/** A mum by package id without case, or NULL. */
const struct ib_mum *ib_package_mum(const struct ib_package *p, const char *package_id);
/** All manifests by key form: struct ib_manifest *; borrowed. Compressed ones that could not be read are in _unread. */
const GPtrArray *ib_package_manifests(const struct ib_package *p);
/** A manifest by long key form without case, or NULL. */
const struct ib_manifest *ib_package_manifest(const struct ib_package *p, const char *keyform);
/** Names of manifests whose compression cannot be read here (const char *); borrowed. */
const GPtrArray *ib_package_unread(const struct ib_package *p);
/** The compressed bytes of one of them, by that name without case; borrowed, NULL when there is none. */
GBytes *ib_package_unread_bytes(const struct ib_package *p, const char *name);
/** A member as the container has it: what an index makes of it is in ib_package_payloads(). */
struct ib_package_member {
	const char *name; /**< those of an inner cabinet are named `<cabinet>\<member>` */
	uint64_t size;    /**< bytes; UINT64_MAX when unknown */
};
/** All members of the container(s), in order: */
/** const struct ib_package_member *; borrowed. */
const GPtrArray *ib_package_members(const struct ib_package *p);
/** Sum of payload bytes as the package has them, uncompressed: what ib_package_each_payload() adds to its progress. */
uint64_t ib_package_payload_bytes(const struct ib_package *p);

/** Verdict on one package's trust. */
struct ib_package_trust {
	char *signer;       /**< subject of the signer of the root's catalog */
	char *anchor;       /**< subject of the anchor its chain ends at */
	char *time;         /**< ISO 8601 time the signature was judged at */
	unsigned catalogs;  /**< catalogs verified */
	unsigned members;   /**< mums and manifests found in them */
	unsigned unchecked; /**< manifests that could not be read, so not checked: ib_package_unread() */
};
/** Free what is inside. */
void ib_package_trust_clear(struct ib_package_trust *t);

/**
 * Verify the chain: each mum has a catalog signed up to an anchor and is a member of it; each manifest
 * is a member of the catalog of a mum that brings it.
 * Throws IB_ERR_VERIFY naming the file and the cause (unsigned, unknown signer, not a member).
 */
bool ib_package_verify(struct ib_package *p, const struct ib_anchors *anchors, struct ib_package_trust *ret,
		       struct ib_error **err) IB_MUST_CHECK;

/* ---- payload ---- */

/** What a payload is. */
enum ib_payload_kind {
	IB_PAYLOAD_FILE,    /**< the complete file, its hash checked against the manifest */
	IB_PAYLOAD_FORWARD, /**< the differential f\: from an older version to this one */
	IB_PAYLOAD_REVERSE, /**< the differential r\: from this version to the older one */
	IB_PAYLOAD_NULL,    /**< the differential n\: from nothing to this version */
};
#define IB_PAYLOAD_KINDS 4
/** The bit of a kind in a set of kinds. */
#define IB_PAYLOAD_BIT(kind) (1u << (kind))

/** What a package brings for a file that a manifest names. */
struct ib_payload_entry {
	const struct ib_manifest *manifest;
	const struct ib_file *file;
	unsigned kinds;                  /**< IB_PAYLOAD_BIT()s; 0: nothing */
	uint64_t size[IB_PAYLOAD_KINDS]; /**< bytes of each as the package has it; 0 when it has none */
};

/** All files of all manifests, each once, in the order of the manifests: const struct ib_payload_entry *; borrowed. */
const GPtrArray *ib_package_payloads(const struct ib_package *p);

/** Something handed out by ib_package_each_payload(). */
struct ib_payload {
	const struct ib_manifest *manifest;
	const struct ib_file *file;
	enum ib_payload_kind kind;
	uint64_t size;            /**< bytes of the stream; UINT64_MAX when unknown, 0 without a stream */
	struct ib_stream *stream; /**< valid for the call, need not be read; NULL: nothing brings the file (kind FILE) */
	const char *reason;       /**< without a stream: why, a sentence without full stop; else NULL */
};

/** What a differential needs. */
struct ib_base_query {
	const struct ib_manifest *manifest; /**< of the component the file belongs to */
	const struct ib_file *file;         /**< the file that is to be made */
	const struct ib_delta_info *info;   /**< header of the differential; zeroed when the base itself is the file */
	bool has_hash;                      /**< the base is named by its content (PA31, index): only that one fits */
	enum ib_digest_algorithm algorithm; /**< of hash */
	uint8_t hash[IB_DIGEST_MAX];        /**< ib_digest_size(algorithm) bytes */
	uint64_t size;                      /**< bytes of the named base; UINT64_MAX when it is not said */
	const char *name;                   /**< "<key form>\<file>" the index gives the base, or NULL; a hint only */
};

/**
 * The image that a package is for: where bases and complete files come from. Members may be NULL: nothing then.
 * base() and complete() are called from several threads at once.
 */
struct ib_payload_source {
	/**
	 * The n-th candidate (from 0) for the base of a differential, best first. Which one is right is seen by the
	 * hashes, so candidates may be wrong.
	 * @param ret  owned by the caller of this function (g_bytes_unref); NULL: there are no more
	 */
	bool (*base)(void *data, const struct ib_base_query *query, unsigned n, GBytes **ret, struct ib_error **err);
	/**
	 * The complete file from elsewhere: the image's own copy of the same content, a newer image. Called when the
	 * package's own differentials do not lead to it, or when the package brings nothing for it.
	 * @param ret  owned by the caller of this function; NULL: nobody has it
	 */
	bool (*complete)(void *data, const struct ib_manifest *manifest, const struct ib_file *file, GBytes **ret,
			 struct ib_error **err);
	/** Whether files of a component are needed at all; called on the calling thread. NULL: all are. */
	bool (*wanted)(void *data, const struct ib_manifest *manifest);
	void *data; /**< handed to the functions; borrowed */
};

/** How to go through payload; zeroed (but for size) means the defaults. */
struct ib_payload_options {
	size_t size;                            /**< sizeof this struct */
	const struct ib_payload_source *source; /**< borrowed; NULL: only what needs no base is made */
	unsigned threads;                       /**< that decompress and apply; 0: number of processors, 1: none but the
						     caller's */
	unsigned kinds;                         /**< IB_PAYLOAD_BIT()s of what to hand out; 0: complete files only */
	bool partial;                           /**< with a source: files that cannot be made are handed out without a
						     stream, as without a source, instead of ending it all */
};

/**
 * Receives one payload. Always called on the thread that called ib_package_each_payload().
 * @return false with an error thrown to stop
 */
typedef bool (*ib_payload_fn)(const struct ib_payload *payload, void *data, struct ib_error **err);

/**
 * Hand out the payload of every file that a manifest names, once of each kind, in the container's order (the same
 * whatever the number of threads); of one record the raw differential comes before the file made of it. A member that
 * no manifest names is skipped (not trusted, not stored). Files that cannot be had come without a stream: those whose
 * differential stays unresolved at their place, those nothing brings after all others.
 *
 * A complete file is looked for in this order: as it is in the package; n\; f\ with the bases of the source, best
 * first; f\ against nothing; source->complete(). What is made has the hash of its manifest, always. Raw differentials
 * are as the package has them: their CRC-32 and the index's hash are right, no catalog covers them.
 *
 * @param options   borrowed; NULL for the defaults
 * @param progress  counts the bytes read from the package: ib_package_payload_bytes(); may be NULL
 * Throws what fn throws; IB_ERR_VERIFY for a wrong hash (the stream given to fn throws it at its end for large
 * files); IB_ERR_INPUT for malformed records and for a file that cannot be made though there is a source, naming
 * package, component, file and the record's transforms.
 */
bool ib_package_each_payload(struct ib_package *p, const struct ib_payload_options *options, ib_payload_fn fn,
			     void *data, struct ib_progress *progress, struct ib_error **err) IB_MUST_CHECK;

/* ---- setup updates ---- */

/** A file of a setup update. */
struct ib_setup_file {
	char *name;     /**< '/' between parts, to be put below the medium's sources folder */
	uint64_t size;  /**< bytes */
};

/**
 * What Microsoft calls a setup dynamic update: a signed cabinet of plain files that replace those in the medium's
 * sources folder. It is no package of Component Based Servicing.
 */
struct ib_setup_update {
	char *path;       /**< of the cabinet */
	GPtrArray *files; /**< struct ib_setup_file *, by name */
	uint64_t bytes;   /**< of all files */
	char *signer;     /**< subject of its signer; NULL when it was not judged */
	char *anchor, *time; /**< anchor's subject, and when it was signed as far as proven; NULL when it was not judged */
};

/**
 * Whether a file is a cabinet without any .mum or cabinet in it: no package. Throws as ib_archive_open() for what is no
 * cabinet.
 */
bool ib_setup_update_probe(const char *path, bool *ret, struct ib_error **err) IB_MUST_CHECK;

/**
 * Open a setup update and verify its signature.
 * @param anchors  NULL: the signature is not judged
 * @param ret      owned by the caller (ib_setup_update_free)
 * Throws IB_ERR_VERIFY (unsigned, changed, signer unknown), IB_ERR_INPUT (no cabinet, a package, names Windows cannot
 * hold, one name twice, more than IB_SETUP_MAX bytes).
 */
bool ib_setup_update_open(const char *path, const struct ib_anchors *anchors, struct ib_setup_update **ret,
			  struct ib_error **err) IB_MUST_CHECK;
/** Most bytes of all files: Microsoft's have about 100 MiB. */
#define IB_SETUP_MAX (UINT64_C(1) << 30)

/** Free; NULL is fine. */
void ib_setup_update_free(struct ib_setup_update *u);

/** Receives a file; bytes are borrowed. @return false with an error thrown to stop */
typedef bool (*ib_setup_fn)(const struct ib_setup_file *file, GBytes *bytes, void *data, struct ib_error **err);

/** Give each file, in the cabinet's order. Throws what fn throws, IB_ERR_INPUT, IB_ERR_SYSTEM. */
bool ib_setup_update_each(const struct ib_setup_update *u, ib_setup_fn fn, void *data, struct ib_error **err) IB_MUST_CHECK;

#endif
