/**
 * build: runs a profile. Stages, plan, apply, workspace, delivery.
 *
 * Data flows one way: profile -> plan (no writes) -> base -> updates ->
 * removals, features, values -> verify -> media -> digests -> metadata, papers ->
 * signature -> folder in its place. Each stage is a row of the table in
 * stages.c: it can plan without writing, and apply what it planned.
 *
 * A build either ends with a complete, verified folder under its final name or
 * leaves nothing that could be mistaken for one: everything is made in
 * `.work-<name>` beside it and renamed at the end.
 *
 * Threads: one call at a time per output folder.
 */
#ifndef IB_BUILD_BUILD_H
#define IB_BUILD_BUILD_H

#include "base/base.h"

/** Turns a secret reference ("env:NAME", "file:PATH") into the secret; owned by the caller (g_free). */
typedef bool (*ib_secret_fn)(const char *reference, char **ret, void *data, struct ib_error **err);

/** What to build and where. Strings are borrowed for the call. */
struct ib_build_options {
	size_t size;              /**< sizeof this struct */
	const char *profile;      /**< path of the profile */
	const char *out_dir;      /**< final folder; NULL: out/<label> below the current folder */
	const char *data_dir;     /**< holds manifests/ */
	char *const *sets;        /**< --set name=value, NULL-ended or NULL */
	const char *vars_file;    /**< --vars, or NULL */
	bool publish;             /**< --publish */
	unsigned threads;         /**< 0: number of processors */
	int64_t now;              /**< real time, seconds since 1970: signatures and records only */
	ib_secret_fn secret;
	void *secret_data;
	struct ib_progress *progress; /**< root, or NULL */
};

/** One line of a plan. */
struct ib_plan_item {
	const char *stage;     /**< section of the profile */
	char *text;            /**< one sentence */
	uint64_t weight_bytes; /**< for the progress bar */
};

struct ib_plan {
	char *name, *out_dir;
	GPtrArray *items;      /**< struct ib_plan_item * */
	GPtrArray *warnings;   /**< char * */
	GPtrArray *missing;    /**< char *: roles that have not approved yet */
	uint64_t need_bytes, available_bytes;
	char *json;            /**< the same as one JSON document, docs/json.md */
};
/** Free; NULL is fine. */
void ib_plan_free(struct ib_plan *plan);

/**
 * Decide everything that can be decided without a write, refusals included.
 * Throws what the build would throw. Result: ib_plan_free.
 */
bool ib_build_plan(const struct ib_build_options *options, struct ib_plan **ret, struct ib_error **err) IB_MUST_CHECK;

/** What a build made. */
struct ib_build_result {
	char *out_dir, *iso;   /**< paths */
	char *iso_sha256;      /**< hex */
	GPtrArray *files;      /**< char *: all files below out_dir, sorted */
	GPtrArray *warnings;   /**< char * */
	GPtrArray *missing;    /**< char *: roles whose approval is missing */
	char *published;       /**< address, or NULL */
	char *json;            /**< build.json */
};
/** Free; NULL is fine. */
void ib_build_result_free(struct ib_build_result *r);

/**
 * Build. With `publish` (or [publish] when = approved) also deliver, if every gate of the policy is passed;
 * otherwise the folder is complete, unpublished, and ret->missing says who is missing.
 * Throws IB_ERR_* as the stages do; the old output is untouched then. Result: ib_build_result_free.
 */
bool ib_build_run(const struct ib_build_options *options, struct ib_build_result **ret, struct ib_error **err)
	IB_MUST_CHECK;

/* ---- afterwards ---- */

/** A decision to record. Strings are borrowed for the call. */
struct ib_approval {
	const char *role, *decision, *number, *opinion; /**< decision: approve, reject */
	const char *certificate, *key; /**< PEM of the signer, its key */
	const char *passphrase;        /**< of the key, or NULL */
	int64_t now;
};

/** Write a signed record of a decision about a build folder into its records/. ret_path: g_free. */
bool ib_approval_record(const char *dir, const struct ib_approval *a, char **ret_path, struct ib_error **err)
	IB_MUST_CHECK;

/**
 * Deliver a build folder as its profile says. The gate is checked again.
 * @param options  profile, sets, vars_file may be NULL: taken from the folder's records/job.json
 * Throws IB_ERR_APPROVAL naming the missing roles, IB_ERR_VERIFY (folder altered), IB_ERR_SYSTEM (network). ret_url: g_free.
 */
bool ib_build_publish(const char *dir, const struct ib_build_options *options, char **ret_url, struct ib_error **err)
	IB_MUST_CHECK;

/** What verifying found. */
struct ib_check_result {
	unsigned files;       /**< digests compared */
	char *signer;         /**< of SHA256SUMS */
	char *signing_time;   /**< ISO 8601 */
	GPtrArray *lines;     /**< char *: what was checked, in words */
	GPtrArray *findings;  /**< char *: what is wrong */
	GPtrArray *store;     /**< struct ib_check_finding *: those of them that are about a component store */
	char *json;
};
/** A finding of a component store's verifier. */
struct ib_check_finding {
	char *image, *subject, *text; /**< name of the image; what it is about; one sentence */
	const char *id;               /**< stable word, docs/json.md */
};
/** Free what is inside. */
void ib_check_result_clear(struct ib_check_result *r);

/** How to verify. Strings are borrowed for the call. */
struct ib_check_options {
	size_t size;                  /**< sizeof this struct */
	char *const *anchors_files;   /**< PEM/DER files of trusted roots, NULL-ended; NULL: signatures and catalogs
				           are not judged, and lines say so */
	bool full;                    /**< read and hash every blob */
	int64_t now;                  /**< real time, seconds since 1970: when signatures without time stamp are judged */
	struct ib_progress *progress; /**< or NULL */
};

/**
 * Verify a build folder, an ISO or a WIM: digests, signature, media structures, component store of each image.
 * The catalogs inside the images of a folder are not judged: their roots are those of the updates, not of the folder.
 * Findings are results; errors are what could not be looked at.
 * @param ret  clear with ib_check_result_clear
 */
bool ib_build_verify(const char *path, const struct ib_check_options *options, struct ib_check_result *ret,
		     struct ib_error **err) IB_MUST_CHECK;

/**
 * Say what a file holds, as one JSON document (docs/json.md): an ISO, a WIM (index: one image of it, 0 all),
 * a package, a .mum or .manifest, a catalog or a hive; told apart by content.
 * @param base           "IMAGE" or "IMAGE:INDEX": whose dictionary compressed manifests are read with; or NULL
 * @param anchors_files  roots to judge a package's or catalog's signature by; NULL: not judged, and the document says so
 * @param ret_json       owned by the caller (g_free)
 * Throws IB_ERR_INPUT when it is none of these; IB_ERR_VERIFY when a package does not verify.
 */
bool ib_inspect(const char *path, unsigned index, const char *base, char *const *anchors_files, int64_t now,
		char **ret_json, struct ib_error **err) IB_MUST_CHECK;

/** What to say about packages, or to take out of them. Lists are NULL-ended; strings are borrowed for the call. */
struct ib_payload_request {
	size_t size;         /**< sizeof this struct */
	char *const *files;  /**< packages */
	const char *base;    /**< "IMAGE" or "IMAGE:INDEX" the packages are for (first image), or NULL */
	const char *out;     /**< folder to make; it must not exist. NULL: only list */
	bool partial;        /**< make it although files are missing */
	char *const *trust;  /**< PEM/DER roots the packages must lead up to; empty: not judged, and the document says so */
	int64_t now;         /**< real time, seconds since 1970: only to judge signatures */
	unsigned threads;    /**< 0: number of processors */
	struct ib_progress *progress; /**< or NULL */
};

/**
 * List what packages hold, or write their complete payload to a folder: `<key form>\<file>` for every file of every
 * manifest, `<key form>.manifest` as plain XML, `<package id>.mum` and .cat. Every file has the hash of its manifest.
 * The folder appears whole or not at all; with files missing, and not partial, not at all.
 * @param ret_json     what there is, or was done, and what is missing (docs/json.md); owned by the caller (g_free)
 * @param ret_missing  files and manifests that could not be made
 * Throws IB_ERR_INPUT (malformed, the folder exists), IB_ERR_VERIFY, IB_ERR_SYSTEM.
 */
bool ib_package_payload(const struct ib_payload_request *request, char **ret_json, unsigned *ret_missing,
			struct ib_error **err) IB_MUST_CHECK;

/** What to do to one image. Lists are NULL-ended, NULL: none; strings are borrowed for the call. */
struct ib_service_options {
	size_t size;            /**< sizeof this struct */
	const char *image;      /**< a WIM, or an ISO: its sources/install.wim */
	unsigned index;         /**< 1-based; 0: the only image */
	const char *out;        /**< the WIM to make */
	const char *data_dir;   /**< holds manifests/ */
	char *const *packages;  /**< package files, installed in the order of servicing */
	char *const *added;     /**< features on demand to add, by capability name; need capability_sources */
	char *const *capability_sources; /**< cabinets and folders of them, in which those are looked for */
	char *const *payload_sources; /**< images ("FILE:INDEX") and packages with complete files */
	char *const *removals;  /**< names of removal manifests, or paths of .ini files */
	const char *technique;  /**< of removals: "uninstall", "empty-winner" or "surgery"; NULL: uninstall */
	char *const *uninstalls;/**< packages to uninstall, by name or id */
	char *const *capabilities; /**< features on demand to remove, by capability name */
	char *const *enable, *const *disable; /**< features */
	char *const *payloads;  /**< features to turn off, their payload too */
	char *const *sources;   /**< packages that missing payload is taken from; need trust */
	bool cleanup, reset_base; /**< drop superseded components; also what installed updates replaced */
	char *const *apps;      /**< provisioned apps to remove */
	char *const *drivers;   /**< driver packages: .inf files, or folders with one */
	char *const *puts;      /**< "SOURCE=PATH" */
	char *const *regs;      /**< .reg files */
	char *const *trust;     /**< PEM/DER roots the packages and drivers must lead up to */
	bool has_date;          /**< else times are those of the image's last modification */
	int64_t date;           /**< seconds since 1970: the time of everything that changes */
	int64_t now;            /**< real time, seconds since 1970: only to judge signatures */
	unsigned threads;       /**< 0: number of processors */
	struct ib_progress *progress; /**< or NULL */
};

/**
 * Service one image of a WIM: packages, removals, features and cleanup (a Windows image), then files, then registry values.
 * All images are written to a new WIM, which appears whole or not at all. A put file gets attribute ARCHIVE and what
 * its folder lets it inherit; one that replaces another keeps that one's attributes and descriptor.
 * @param ret_json  what was done (docs/json.md); owned by the caller (g_free)
 * Throws IB_ERR_USAGE (nothing to do, output is the input), IB_ERR_INPUT, IB_ERR_VERIFY, IB_ERR_NOT_APPLICABLE,
 * IB_ERR_UP_TO_DATE, IB_ERR_SYSTEM.
 */
bool ib_service_run(const struct ib_service_options *options, char **ret_json, struct ib_error **err) IB_MUST_CHECK;

/**
 * Propose a removal manifest for a component of an image, for review: ib_store_draft() of a WIM, or of an ISO's
 * sources/install.wim.
 * @param index  1-based; 0: the only image
 * @param ret    text of an .ini file; owned by the caller (g_free)
 * Throws IB_ERR_USAGE (which image?), IB_ERR_INPUT.
 */
bool ib_component_draft(const char *image, unsigned index, const char *name, char **ret, struct ib_error **err)
	IB_MUST_CHECK;

/** What ib_diff_images() compares. Everything is borrowed. */
struct ib_diff_options {
	size_t size;                /**< sizeof this struct */
	const char *a, *b;          /**< a WIM, or an ISO: its sources/install.wim */
	unsigned index_a, index_b;  /**< 1-based; 0: the only image */
	const char *html;           /**< write a page there, too; NULL: none. Never one of the images */
	const char *language;       /**< of the page: "en", "zh-CN"; NULL: "en" */
	const char *data_dir;       /**< holds manifests/; needed with html */
};

/**
 * Say what differs from image a to image b: packages, features, components, services, policies, files, rights.
 * @param ret_json  the document (docs/json.md); owned by the caller (g_free)
 * @param ret_text  the same, one line a difference; owned by the caller (g_free)
 * @param ret_same  whether nothing differs
 * Throws IB_ERR_USAGE (which image; the page is one of the images), IB_ERR_INPUT (no Windows image ...), IB_ERR_SYSTEM.
 */
bool ib_diff_images(const struct ib_diff_options *options, char **ret_json, char **ret_text, bool *ret_same,
		    struct ib_error **err) IB_MUST_CHECK;

/** Verify what lies at a delivery address as the receiver would: SHA256SUMS, its signature, every file. */
bool ib_check_delivery(const struct ib_build_options *options, const char *url, const char *host_key, const char *key,
		       char *const *anchors_files, struct ib_check_result *ret, struct ib_error **err) IB_MUST_CHECK;

#endif
