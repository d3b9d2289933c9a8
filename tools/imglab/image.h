/**
 * imglab/image: one Windows image in the making: its file tree and its hives,
 * filled by installing packages the way Windows leaves them once installed.
 */
#ifndef IMGLAB_IMAGE_H
#define IMGLAB_IMAGE_H

#include "content.h"
#include "hive.h"
#include "tree.h"

/** The hives of an image. */
enum lab_hive_id {
	LAB_HIVE_SOFTWARE,
	LAB_HIVE_SYSTEM,
	LAB_HIVE_COMPONENTS,
	LAB_HIVE_DRIVERS,
	LAB_HIVE_DEFAULT,
	LAB_HIVE_NTUSER,
	LAB_HIVES,
};

/** A package with all its signed texts; made once, used by every image. */
struct lab_signed {
	const struct lab_package *package;
	const char *id;      /**< package id */
	GPtrArray *members;  /**< struct lab_member: mum, deployments' and components' manifests */
	GPtrArray *stored;   /**< GBytes, beside members: as they lie in the image, plain or compressed */
	GBytes *catalog;
	const char *thumbprint; /**< SHA-256 of the catalog, hex */
	GHashTable *manifests;  /**< long key -> GBytes of the manifest */
	GHashTable *components; /**< long key -> struct lab_component, deployments included */
};

struct lab_os {
	enum lab_image image;
	const struct lab_system *system;
	int64_t epoch;
	struct lab_tree *tree;
	struct lab_hive *hives[LAB_HIVES];
	GString *migrations; /**< list of manifests with migration rules, so far */
};

/** An image with its fixed folders and the keys every hive has; free with lab_os_free(). */
struct lab_os *lab_os_new(enum lab_image image, const struct lab_system *system, int64_t epoch);
/** Free; NULL is fine. */
void lab_os_free(struct lab_os *os);
/** Cleanup form. */
void lab_os_clear(struct lab_os **os);

/**
 * Install a package: store, servicing state, and all that its components project.
 * Throws IB_ERR_INPUT when two files want one name.
 */
bool lab_os_install(struct lab_os *os, const struct lab_signed *package, struct ib_error **err) IB_MUST_CHECK;

/** What an installed Windows has beside components: provisioned apps, junctions, profiles. */
void lab_os_furnish(struct lab_os *os);

/** Put the hives into the tree. @param work  folder for temporary files */
bool lab_os_finish(struct lab_os *os, const char *work, struct ib_error **err) IB_MUST_CHECK;

/* ---- parts, in project.c and cbs.c ---- */

/** Put a component's files, keys, services and the rest where they act. keyform: its long key. */
bool lab_project(struct lab_os *os, const struct lab_component *c, const char *keyform, struct ib_error **err)
	IB_MUST_CHECK;

/** A macro path as a path relative to the image's root; owned by the caller (g_free). wow: a 32-bit component's. */
char *lab_macro_path(const char *text, bool wow);

/** Text of a descriptor that the component defines; borrowed. */
const char *lab_find_sddl(const struct lab_component *c, const char *name);

/** Packages, winners and COMPONENTS entries of a package. */
void lab_cbs_record(struct lab_os *os, const struct lab_signed *package);

#endif
