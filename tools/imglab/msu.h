/**
 * imglab/msu: packages as they are delivered: a cabinet with mums, catalogs,
 * manifests and payload, and the .msu (a cabinet again) around it.
 */
#ifndef IMGLAB_MSU_H
#define IMGLAB_MSU_H

#include "cab.h"
#include "certs.h"
#include "model.h"

/** What is wrong with a package on purpose. */
enum lab_flaw {
	LAB_FLAW_NONE,
	LAB_FLAW_PAYLOAD,    /**< one payload file has one byte changed */
	LAB_FLAW_MANIFEST,   /**< one component manifest has one byte more than the catalog says */
	LAB_FLAW_NO_CATALOG, /**< no .cat at all */
	LAB_FLAW_DELTA,      /**< one forward differential has one byte changed: its CRC-32 tells */
	LAB_FLAW_BASE,       /**< one forward differential is made against another file: its target's hash tells */
	LAB_FLAW_NO_REVERSE, /**< no reverse differential at all */
};

/** How payload is packed. */
struct lab_differentials {
	/**
	 * The file of the release that differentials are made against, "RTM"; borrowed.
	 * NULL: there was none, then the differential is made against nothing.
	 */
	GBytes *(*base)(void *data, const struct lab_component *c, const char *file);
	void *data;         /**< for base() */
	GHashTable *made;   /**< "<path>" -> GBytes, kept from one package to the next; NULL: none; borrowed */
	bool forward_only;  /**< no way back, as since Windows 11 */
	bool pa31;          /**< PA31, which names its base by hash */
};

/** How names of child packages are written: readers compare without case. */
enum lab_names { LAB_NAMES_LOWER, LAB_NAMES_UPPER };

/** How a package is shipped. */
struct lab_shipping {
	struct lab_arena *arena;   /**< borrowed */
	const struct lab_pki *pki; /**< borrowed */
	enum lab_signer signer;    /**< LAB_SIGNER_CATALOG or LAB_SIGNER_UNKNOWN */
	int64_t when;              /**< date of members, catalogs and time stamps; seconds since 1970, UTC */
	enum lab_flaw flaw;
	/**
	 * As in a feature on demand: the root's mum and catalog also under its package id,
	 * names as they are, and `$filehashes$.dat`. Else, as in cumulative updates, the root only
	 * as update.mum, and children's names in lower case.
	 */
	bool on_demand;
	enum lab_cab_method method; /**< of the cabinet: cumulative updates are LZX, others MSZIP */
	enum lab_names children; /**< of child packages' mums and catalogs, unless on demand */
	GBytes *dictionary; /**< component manifests compressed with it; NULL: plain; borrowed */
	/**
	 * "PSFX": `<keyform>\f\<file>` and `<keyform>\r\<file>` from the base's file and back to it, `<keyform>\n\<file>`
	 * where there is none; small files stay complete. NULL: all are complete. Borrowed.
	 */
	const struct lab_differentials *differentials;
};

/** About what Authenticode adds behind a cabinet. */
#define LAB_SIGNATURE_BYTES 8648

/**
 * All that a package's cabinet holds.
 *
 * @param ret      struct lab_member; in the arena
 * @param history  filled with struct lab_history, one for each differential that is not a reverse one; or NULL
 */
bool lab_package_pack(const struct lab_package *root, const struct lab_shipping *how, GPtrArray **ret, GPtrArray *history,
		      struct ib_error **err) IB_MUST_CHECK;

/**
 * The cabinet of a package with its children, with bytes behind its end as a signature leaves them.
 * @param ret  owned by the caller (g_bytes_unref)
 */
bool lab_package_cabinet(const struct lab_package *root, const struct lab_shipping *how, GBytes **ret,
			 struct ib_error **err) IB_MUST_CHECK;

/**
 * The .msu: WSUSSCAN.cab, <name>.cab, <name>.xml, <name>-pkgProperties.txt; with differentials the last three end in
 * "_PSFX" before the dot.
 * @param name  "Windows10.0-KB5005568-x64"
 * @param ret   owned by the caller (g_bytes_unref)
 */
bool lab_msu(const struct lab_package *root, const char *name, const struct lab_shipping *how, GBytes **ret,
	     struct ib_error **err) IB_MUST_CHECK;

/** A second package in an .msu, installed first: the servicing stack. */
struct lab_companion {
	const struct lab_package *root;
	const char *cab_name;
	GBytes *cab;
};

/** The same around a cabinet that is there already. @param companion  borrowed; NULL: none */
bool lab_msu_around(const struct lab_package *root, const char *name, const struct lab_shipping *how, GBytes *cab,
		    const struct lab_companion *companion, GBytes **ret, struct ib_error **err) IB_MUST_CHECK;

#endif
