/**
 * servicing: what happens to an image. The component store of one image as a
 * model, what a package would change, installing it, removing a component,
 * and the proof that the store is whole.
 *
 * A `struct ib_store` binds an image's tree, its hives and its packages. Work
 * is done in memory; ib_store_commit() puts the changed hives back into the
 * image's tree. Writing the WIM is the caller's.
 *
 * Nothing is ignored in silence: what cannot be carried out offline is added to
 * the store's notes, with the component that asked for it.
 */
#ifndef IB_SERVICING_SERVICING_H
#define IB_SERVICING_SERVICING_H

#include "base/base.h"
#include "driver/driver.h"
#include "package/package.h"
#include "registry/registry.h"
#include "wim/wim.h"

struct ib_store;

enum ib_hive_id {
	IB_HIVE_SOFTWARE, IB_HIVE_SYSTEM, IB_HIVE_COMPONENTS, IB_HIVE_DRIVERS, IB_HIVE_DEFAULT, IB_HIVE_USER,
	IB_HIVE_COUNT
};

/** What the image is. Strings live as long as the store. */
struct ib_store_info {
	const char *arch;         /**< amd64 … */
	const char *edition;      /**< EditionID */
	const char *product;      /**< ProductName */
	struct ib_version version;/**< 10.0.<build>.<UBR> */
	struct ib_version stack;  /**< newest servicing stack component in the store */
	unsigned packages, components, deployments;
	bool unserviceable;       /**< marked so: only looking is possible */
	bool pe;                  /**< WinPE or WinRE: it starts from memory, Setup never completes in it */
};

/** A note about something that was not, or not only, done offline. */
struct ib_note {
	const char *id;       /**< stable word: "generic-command", "mof", "first-boot-task" … */
	char *subject;        /**< component or package it is about */
	char *text;           /**< one sentence */
};

/**
 * Open the store of a Windows image.
 * @param wim   borrowed, must outlive the store
 * @param time  FILETIME: the build's only clock
 * Throws IB_ERR_INPUT: not a Windows image, a hive is missing or malformed, servicing is pending (the gate).
 * An image that is marked unserviceable opens; what would change it is refused then. Result: ib_store_free.
 */
bool ib_store_open(struct ib_wim *wim, unsigned index, uint64_t time, struct ib_store **ret, struct ib_error **err)
	IB_MUST_CHECK;
void ib_store_free(struct ib_store *s);

/** What the image is; borrowed. */
const struct ib_store_info *ib_store_info(const struct ib_store *s);
/** A hive, loaded on first use; borrowed. */
bool ib_store_hive(struct ib_store *s, enum ib_hive_id id, struct ib_hive **ret, struct ib_error **err) IB_MUST_CHECK;
/** Where a hive lies in an image; NULL for a number that is none; borrowed. */
const char *ib_hive_path(enum ib_hive_id id);
/**
 * Load the hive at a path of any image, with the logs that lie beside it (.LOG1 and .LOG2, else .LOG).
 * @param accept_dirty  take a dirty hive as it is when no log completes it
 * @param ret           owned by the caller (ib_hive_free)
 * Throws IB_ERR_INPUT: there is none, or what ib_hive_load() throws.
 */
bool ib_image_hive_load(struct ib_image *image, const char *path, bool accept_dirty, struct ib_hive **ret,
			struct ib_error **err) IB_MUST_CHECK;
/** Put a hive back in its place and empty its logs. @param time  FILETIME of what changed */
bool ib_image_hive_save(struct ib_wim *wim, struct ib_image *image, const char *path, struct ib_hive *hive,
			uint64_t time, struct ib_error **err) IB_MUST_CHECK;
/** The image; borrowed. */
struct ib_image *ib_store_image(struct ib_store *s);
/**
 * The dictionary that the store's compressed manifests (DCM) are made with: a resource of wcp.dll, of the newest
 * servicing stack whose payload the store still has. *ret is NULL when the image has none; borrowed.
 * Throws what reading the image throws.
 */
bool ib_store_dictionary(struct ib_store *s, GBytes **ret, struct ib_error **err) IB_MUST_CHECK;
/** Notes so far: const struct ib_note *; borrowed. */
const GPtrArray *ib_store_notes(const struct ib_store *s);

/** A package the image holds. */
struct ib_installed {
	char *package_id;
	uint32_t state;       /**< 0x40 staged, 0x50 superseded, 0x70 installed … */
	char *release_type;   /**< or NULL */
	GPtrArray *features;  /**< struct ib_feature_state * */
};
struct ib_feature_state {
	char *name;
	uint32_t state;
};
/** Packages by id: const struct ib_installed *; borrowed until the store changes. */
bool ib_store_packages(struct ib_store *s, const GPtrArray **ret, struct ib_error **err) IB_MUST_CHECK;

/* ---- where else complete files come from ---- */

/**
 * Images and packages that may have files which a package's differentials do not lead to and the image lacks. One
 * stock serves several stores, one after the other.
 */
struct ib_stock;

/** An empty stock. @param spool_dir  folder for unlinked temporary files, NULL: memory; copied. Result: ib_stock_free. */
struct ib_stock *ib_stock_new(const char *spool_dir);
/** Free it with all it holds; NULL is fine. */
void ib_stock_free(struct ib_stock *s);
/** Add an image of a WIM, 0: all. Looked for by key form and name, then, in a Windows image, by hash. wim: taken */
void ib_stock_add_wim(struct ib_stock *s, struct ib_wim *wim, unsigned index);
/** Add a package; only what it brings complete, or can make from nothing, counts. package: taken */
void ib_stock_add_package(struct ib_stock *s, struct ib_package *package);
/** Let a store look into a stock when it installs. stock: borrowed, must outlive the store; NULL: none */
void ib_store_set_stock(struct ib_store *s, struct ib_stock *stock);

/* ---- what a store offers to a package ---- */

/** Bases of differentials and complete files that a package may need. */
struct ib_bases;

/**
 * Look them up: by the hashes of all manifests of the store, and among the other versions of the package's components.
 * Needs no manifest read when all of the package's payload is complete.
 * @param s    borrowed; it must not change its files while the result is used, but may add new ones
 * @param p    borrowed
 * @param ret  owned by the caller (ib_store_bases_free)
 * Throws what reading manifests throws.
 */
bool ib_store_bases_new(struct ib_store *s, const struct ib_package *p, struct ib_bases **ret, struct ib_error **err)
	IB_MUST_CHECK;
/** Free; NULL is fine. */
void ib_store_bases_free(struct ib_bases *b);
/** For ib_package_each_payload(); borrows b. */
struct ib_payload_source ib_store_bases_source(struct ib_bases *b);

/* ---- installing ---- */

enum ib_applicability { IB_APPLIES, IB_ALREADY_INSTALLED, IB_DOES_NOT_APPLY };

/** Whether a package applies, and why not in words a person understands. */
struct ib_applicability_result {
	enum ib_applicability verdict;
	char *reason;     /**< one sentence: what was looked for, what the image has; when it applies NULL, or why it is
			       installed once more */
	char *hint;       /**< what to do, or NULL */
	char *dism_code;  /**< "0x800f081e" …, or NULL */
};
void ib_applicability_clear(struct ib_applicability_result *r);

/** Decide it for one package; release the result with ib_applicability_clear(). No change to the store. */
bool ib_store_applicable(struct ib_store *s, const struct ib_package *p, struct ib_applicability_result *ret,
			 struct ib_error **err) IB_MUST_CHECK;

/** What installing did or would do. */
struct ib_install_summary {
	unsigned packages, deployments, components, winners_changed;
	unsigned files_new, files_changed, files_removed, values_set, values_removed, services;
	uint64_t payload_bytes; /**< of files the store does not have */
	unsigned payload_complete;  /**< files that come complete */
	unsigned payload_deltas;    /**< files made from differentials */
	unsigned payload_elsewhere; /**< files from the image itself or the stock; planned: those the package lacks */
	unsigned payload_sources;   /**< of them, from the stock; only known after installing */
};

/**
 * What installing would do; no change to the store. values_removed and files_removed are upper bounds: what another
 * component owns stays. Throws as ib_store_install().
 */
bool ib_store_plan(struct ib_store *s, const struct ib_package *p, struct ib_install_summary *ret, struct ib_error **err)
	IB_MUST_CHECK;

/**
 * Install a verified package (ib_package_verify was called): store, projection, registry, services, CBS state.
 * Differentials are applied to what the store has: a file named by its hash; the same file of another version of the
 * component, as released first; a current file led back by the reverse differential an earlier update left. What does
 * not come out with the hash of its manifest is looked for in the image and the stock, or refused.
 * The package's own differentials are kept in the image for the next update (servicing\LCU since 17763).
 * On failure the image may be half changed: throw it away.
 * Throws IB_ERR_NOT_APPLICABLE, IB_ERR_UP_TO_DATE (this or a newer version is installed), IB_ERR_VERIFY,
 * IB_ERR_INPUT (unknown macro, missing payload …).
 */
bool ib_store_install(struct ib_store *s, struct ib_package *p, struct ib_install_summary *ret,
		      struct ib_progress *progress, struct ib_error **err) IB_MUST_CHECK;

/* ---- optional features ---- */

/** Turn an optional feature on or off by name. ret_changed: false when it was so already.
 *  Throws IB_ERR_INPUT for an unknown feature (the message lists near names). */
bool ib_store_set_feature(struct ib_store *s, const char *feature, bool on, bool *ret_changed, struct ib_error **err)
	IB_MUST_CHECK;

/* ---- drivers ---- */

/** What adding a driver package did. */
struct ib_driver_summary {
	char *published;          /**< "oem0.inf" */
	char *store_name;         /**< its folder below DriverStore\FileRepository */
	bool known;               /**< the image had it already: nothing was changed */
	unsigned files, devices;  /**< files stored; devices it supports */
	unsigned left;            /**< directives left to Windows, each a note */
	uint64_t bytes;
	GPtrArray *boot_services; /**< char *: services that start at boot, written to SYSTEM with their files */
};
/** Free what is inside; the struct is the caller's. */
void ib_driver_summary_clear(struct ib_driver_summary *r);

/** The image as a target for ib_driver_open(); strings live as long as the store. */
bool ib_store_driver_target(struct ib_store *s, struct ib_driver_target *ret, struct ib_error **err) IB_MUST_CHECK;

/**
 * Add a verified driver package (ib_driver_verify was called): driver store, INF folder, catalog root,
 * DriverDatabase. An install section with a service that starts at boot is carried out: files, values, services.
 * Everything else waits for Windows, and a note says so. On failure the image may be half changed: throw it away.
 * @param d    borrowed
 * @param ret  clear with ib_driver_summary_clear
 * Throws IB_ERR_INPUT: it copies what it does not have, or would replace what a component owns; IB_ERR_VERIFY: it was
 * not verified, or a file changed since.
 */
bool ib_store_add_driver(struct ib_store *s, struct ib_driver *d, struct ib_driver_summary *ret, struct ib_error **err)
	IB_MUST_CHECK;

/** A driver package that was added to an image. Texts are NULL where the image does not say. */
struct ib_installed_driver {
	char *published, *store_name, *inf_name, *catalog_name, *provider, *version;
	bool complete; /**< DriverPackages has it */
};
/** Those that were added (oem*.inf), by published name: struct ib_installed_driver *; g_ptr_array_unref. */
bool ib_store_drivers(struct ib_store *s, GPtrArray **ret, struct ib_error **err) IB_MUST_CHECK;

enum ib_feature_condition { IB_FEATURE_DISABLED, IB_FEATURE_ENABLED, IB_FEATURE_PAYLOAD_REMOVED };

/** An optional feature of an image. */
struct ib_feature {
	char *name;
	char *title;           /**< display name; NULL when it is only a reference */
	char *package_id;      /**< that declares it */
	char *parent;          /**< feature it needs, or NULL */
	enum ib_feature_condition condition;
	bool default_on;       /**< on where nobody chose (detectNone) */
	unsigned satellites;   /**< language packs that hold a part of it */
};

/** All optional features by name: struct ib_feature *. Result: g_ptr_array_unref. */
bool ib_store_features(struct ib_store *s, GPtrArray **ret, struct ib_error **err) IB_MUST_CHECK;

/** A capability (feature on demand) of an image. */
struct ib_capability {
	char *name;            /**< as DISM prints it: "OpenSSH.Server~~~~0.0.1.0" */
	char *package_id;
	uint32_t state;        /**< 0x40 staged, 0x70 installed */
};

/**
 * Languages of an image: those of its language packs (char *, each once). Result: g_ptr_array_unref.
 * Throws what reading the packages throws.
 */
bool ib_store_languages(struct ib_store *s, GPtrArray **ret, struct ib_error **err) IB_MUST_CHECK;

/** Whether an installed package declares a capability; version and language NULL: any, none. */
bool ib_store_has_capability(struct ib_store *s, const struct ib_needed_capability *c, bool *ret, struct ib_error **err)
	IB_MUST_CHECK;

/** All capabilities, languages of one apart: struct ib_capability *. Result: g_ptr_array_unref. */
bool ib_store_capabilities(struct ib_store *s, GPtrArray **ret, struct ib_error **err) IB_MUST_CHECK;

/**
 * Turn a feature off and take its payload out of the store; manifests and keys stay, so it can come back from a source.
 * What another feature or package refers to keeps its payload.
 * @param ret_components  how many lost it
 * Throws IB_ERR_INPUT as ib_store_set_feature().
 */
bool ib_store_remove_payload(struct ib_store *s, const char *feature, unsigned *ret_components, struct ib_error **err)
	IB_MUST_CHECK;

/**
 * Put back payload that the store lacks, from a verified package that brings the same components.
 * @param ret_files  files put back; 0: the store lacks none of this package's
 * Throws IB_ERR_VERIFY (a file has another hash than its manifest), IB_ERR_INPUT.
 */
bool ib_store_add_payload(struct ib_store *s, struct ib_package *p, unsigned *ret_files, struct ib_progress *progress,
			  struct ib_error **err) IB_MUST_CHECK;

/* ---- apps ---- */

/** A package of a provisioned app, as an image has it. */
struct ib_appx {
	char *full_name;      /**< Name_Version_Architecture_Resource_PublisherId */
	char *name, *version;
	char *family;         /**< Name_PublisherId */
	char **needs;         /**< families of frameworks; NULL: it has no folder */
	char *lie;            /**< why its manifest does not prove who it is, or NULL */
	bool provisioned;     /**< AppxProvisioning.xml has it */
	bool present;         /**< its folder is there */
	bool framework;
};

/** The 13 characters that stand for a publisher in names of app packages; owned by the caller (g_free). */
char *ib_appx_publisher_id(const char *publisher);
/** All packages, by full name: struct ib_appx *; g_ptr_array_unref. */
bool ib_store_apps(struct ib_store *s, GPtrArray **ret, struct ib_error **err) IB_MUST_CHECK;
/**
 * Remove a provisioned app with its packages: list of provisioned ones, registration, folders. Frameworks that only it
 * needed go with it. The app is marked as deprovisioned, so that a feature update does not bring it back.
 * @param name       package name, family or full name
 * @param ret_lines  char *: what went and what stays; g_ptr_array_unref
 * Throws IB_ERR_INPUT: there is no such app (an app of Windows itself is no provisioned one), its manifest says that it
 * is another, a framework that others need.
 */
bool ib_store_remove_app(struct ib_store *s, const char *name, GPtrArray **ret_lines, struct ib_error **err) IB_MUST_CHECK;

/** The key form of the component that brings the file at a path, *ret NULL when there is none; g_free. */
bool ib_store_file_owner(struct ib_store *s, const char *path, char **ret, struct ib_error **err) IB_MUST_CHECK;

/* ---- removing ---- */

/** How a component is taken out. */
enum ib_removal_technique {
	/** Its packages, and what only they refer to, leave the store. Somebody else's component is refused. */
	IB_REMOVE_UNINSTALL,
	/**
	 * Each component gets a version above all others that is empty, in a package of its own: nothing of it is in the
	 * live system any more, the store keeps all it had, and updates apply as before.
	 */
	IB_REMOVE_EMPTY_WINNER,
	/** As UNINSTALL, but also components of packages that stay: the image is marked unserviceable. */
	IB_REMOVE_SURGERY,
};

/** What a removal manifest names (manifests/components/<name>.ini); lists are NULL-ended, NULL = none. */
struct ib_removal {
	const char *name;
	enum ib_removal_technique technique;
	char **packages;   /**< package name patterns: "Name" or "Name~*" */
	char **components; /**< component names (identity name) */
	char **files;      /**< paths in the image, '\', '*' allowed in the last part */
	char **services;
	char **svchost;    /**< "group:service" */
	char **tasks;      /**< task paths below Tasks */
	char **values;     /**< "HIVE\key!value" registry values */
	char **keys;       /**< "HIVE\key" registry keys with all below */
	char **firewall;   /**< firewall rule value names, '*' at the end allowed */
	char **event_sources; /**< "log\source" */
};

/** What was removed, in words for the report. */
struct ib_removal_summary {
	unsigned packages, components, files, services, tasks, values, keys;
	bool unserviceable; /**< surgery took what a package of the image still refers to */
	GPtrArray *lines; /**< char *: one per thing removed, sorted */
};
void ib_removal_summary_clear(struct ib_removal_summary *r);

/**
 * Names to search for afterwards, gathered from the image itself (the packages, deployments, components,
 * files, services that belong to the component), *not* from the removal manifest. Call before removing.
 * Result: NULL-ended, owned by the caller (g_strfreev).
 */
bool ib_store_traces(struct ib_store *s, const struct ib_removal *r, char ***ret, struct ib_error **err) IB_MUST_CHECK;

/**
 * Uninstall a package: what only it refers to leaves the store, older versions win again. Parts of updates that were
 * made for it are staged.
 * @param pattern  "Name" (the version in use), or an id "Name~…" with '*'
 * @param ret      what went; clear with ib_removal_summary_clear(); may be NULL
 * Throws IB_ERR_INPUT: unknown, permanent, hidden, a part of another package, needed by another one, or what it
 * replaced was cleaned out of the store.
 */
bool ib_store_uninstall(struct ib_store *s, const char *pattern, struct ib_removal_summary *ret, struct ib_error **err)
	IB_MUST_CHECK;

/**
 * Uninstall a capability by name ("OpenSSH.Server", or all that ib_store_capabilities() calls it), with its languages;
 * with a language in the name, the one of that language alone.
 * @param ret  what went; clear with ib_removal_summary_clear()
 * Throws IB_ERR_INPUT: there is none, or as ib_store_uninstall().
 */
bool ib_store_remove_capability(struct ib_store *s, const char *name, struct ib_removal_summary *ret,
				struct ib_error **err) IB_MUST_CHECK;

/**
 * Remove a component. A file, service or key that a component outside the removal owns is refused with its owner.
 * Throws IB_ERR_INPUT when nothing in the image matches.
 */
bool ib_store_remove(struct ib_store *s, const struct ib_removal *r, struct ib_removal_summary *ret,
		     struct ib_error **err) IB_MUST_CHECK;

/**
 * Propose a removal manifest (the text of an .ini file) for a component, from what the image holds: its packages, what
 * they bring, and what else carries its names. Comments say where each line comes from, and what was left out.
 * @param name  of a package (or a pattern), a component, or a service that no package brings
 * @param ret   owned by the caller (g_free)
 * Throws IB_ERR_INPUT when the image has nothing of that name.
 */
bool ib_store_draft(struct ib_store *s, const char *name, char **ret, struct ib_error **err) IB_MUST_CHECK;

/**
 * Search tree names and all hives for the traces. ret: char * descriptions of each residue, empty when clean.
 * @param technique  IB_REMOVE_EMPTY_WINNER leaves the component in the store: only the live system is searched then
 * Result: g_ptr_array_unref.
 */
bool ib_store_residue(struct ib_store *s, char *const *traces, enum ib_removal_technique technique, GPtrArray **ret,
		      struct ib_error **err) IB_MUST_CHECK;

/* ---- cleaning up ---- */

/** What cleaning up dropped, and what it kept for later updates. */
struct ib_cleanup_summary {
	unsigned packages, components, deployments; /**< dropped */
	uint64_t bytes;      /**< uncompressed content that the image has no more */
	unsigned kept;       /**< components kept because differentials of later updates start from them */
	uint64_t kept_bytes; /**< of their files, links counted in */
	unsigned bases;      /**< with reset_base: of those, how many were dropped and cannot be worked out again */
	GPtrArray *lines;    /**< char *: one per package and component, sorted */
};
/** Free what is inside. */
void ib_cleanup_summary_clear(struct ib_cleanup_summary *r);

/**
 * Drop from the store what superseded updates brought and nothing uses; superseded packages of which nothing is left
 * go too. Versions that later differentials start from stay, unless a reverse differential leads back to them.
 * @param reset_base  also drop every version that a higher one replaced: installed updates are permanent then
 * @param ret         clear with ib_cleanup_summary_clear()
 * Throws IB_ERR_INPUT.
 */
bool ib_store_cleanup(struct ib_store *s, bool reset_base, struct ib_cleanup_summary *ret, struct ib_error **err)
	IB_MUST_CHECK;

/* ---- comparing ---- */

/** What kind of thing differs. */
enum ib_diff_kind {
	IB_DIFF_IMAGE,     /**< version, edition, servicing stack … */
	IB_DIFF_PACKAGE,   /**< package id; state in words */
	IB_DIFF_FEATURE,   /**< optional feature; on, off */
	IB_DIFF_COMPONENT, /**< name, architecture and line of a component; the version that wins */
	IB_DIFF_SERVICE,   /**< service; field: value's name, with its subkey before it */
	IB_DIFF_POLICY,    /**< registry key in full; field: value's name */
	IB_DIFF_FILE,      /**< path; field: content, attributes, security, kind. The store and the hives are told by others */
	IB_DIFF_KINDS
};

/** One difference. */
struct ib_difference {
	enum ib_diff_kind kind;
	char *name;  /**< of the thing */
	char *field; /**< what of it differs; NULL: it is there on one side only, or its one property differs */
	char *a, *b; /**< what each side has, in words; NULL: nothing */
};

/** "image", "package", "feature", "component", "service", "policy", "file"; borrowed. NULL for a number that is none. */
const char *ib_diff_kind_word(enum ib_diff_kind kind);

/**
 * What differs from one image to another, sorted by kind, name and field. Times do not count. Only what differs is
 * said, no cause.
 * @param ret  struct ib_difference *; owned by the caller (g_ptr_array_unref); empty when nothing differs
 * Throws what reading the stores throws.
 */
bool ib_store_diff(struct ib_store *a, struct ib_store *b, GPtrArray **ret, struct ib_error **err) IB_MUST_CHECK;

/* ---- ending ---- */

/** Put changed hives back into the image (logs emptied), update the WIM's XML (version, SPBUILD). */
bool ib_store_commit(struct ib_store *s, struct ib_error **err) IB_MUST_CHECK;

/* ---- verifying ---- */

/** One finding of the verifier. */
struct ib_finding {
	const char *id; /**< stable word: "manifest-missing", "winner-missing", "projection-differs" … */
	char *subject;
	char *text;
};

/** What was checked, and what was found. */
struct ib_verify_result {
	unsigned components, manifests, winners, projections, packages, catalogs, services;
	unsigned drivers;      /**< driver packages that were added */
	unsigned blobs_hashed;
	GPtrArray *findings; /**< struct ib_finding *, in a stable order */
};
void ib_verify_result_clear(struct ib_verify_result *r);

/**
 * Our own ScanHealth of one image: manifests 1:1 component keys, winners have manifests, each projected file
 * carries its winner's blob and the manifest's SHA-256, links resolve, no orphan package, catalogs present,
 * no "$(", no service without its binary.
 * @param anchors   catalogs are checked up to these; NULL: only that they are present
 * @param hash_all  also read and hash each blob (SHA-256 of projected files against manifests)
 * Findings are results, not errors.
 */
bool ib_store_verify(struct ib_store *s, const struct ib_anchors *anchors, bool hash_all, struct ib_verify_result *ret,
		     struct ib_progress *progress, struct ib_error **err) IB_MUST_CHECK;

#endif
