/**
 * metadata: upgrade documents for a WSUS-like update server, supersedence
 * inside a stream, and a simulator that says what a client is offered.
 *
 * A catalog is a folder with one XML document per update revision. An image is
 * a pair of documents: a parent (title, categories, supersedence, bundle) and a
 * child (rules, file, handler). Supersedence is a total order inside a stream:
 * each image supersedes all lower ones. All ids are UUIDv5 of stable names, all
 * dates come from the caller: the same catalog and image give the same bytes.
 *
 * Format facts: docs/formats/upgrade-metadata.md.
 */
#ifndef IB_METADATA_METADATA_H
#define IB_METADATA_METADATA_H

#include "base/base.h"

/** One image to be described. Strings are borrowed for the call. */
struct ib_metadata_image {
	size_t size;              /**< sizeof this struct */
	const char *vendor;       /**< "CMGE": registry key SOFTWARE\<vendor>\Image */
	const char *customer;     /**< CustomerId; NULL: a standard image */
	const char *name;         /**< shown as title */
	const char *description;  /**< one or two sentences */
	const char *stream;       /**< ImageId */
	const char *edition;      /**< EditionID the rules test */
	const char *product;      /**< product release, "V2020-L" */
	const char *version;      /**< four-part image version */
	unsigned build;           /**< Windows build of the image, e.g. 17763 */
	unsigned ubr;             /**< patch level */
	const char *arch;         /**< amd64, x86, arm64 */
	const char *const *upgrade_from; /**< product releases it is offered to, NULL-ended */
	char *const *product_dirs; /**< folders with product manifests (detect rules), searched in order, NULL-ended */
	bool reimage;             /**< also offered to machines on its own product */
	const char *content_url;  /**< or NULL */
	const char *file_name;    /**< name of the ISO */
	uint64_t file_bytes;
	uint8_t sha1[20], sha256[32];
	int64_t date;             /**< seconds since 1970: CreationDate, Modified */
	const char *support_url;  /**< or NULL */
};

/** What was generated. */
struct ib_metadata_result {
	char *parent_id, *child_id;   /**< GUID text */
	unsigned revision;
	GPtrArray *superseded;        /**< char *: "GUID title version" of each lower image of the stream */
	GPtrArray *files;             /**< char *: names written below the output folder, sorted */
	unsigned clients, scans, offers_two, loops; /**< of the simulator's exhaustive run; the last two must be 0 */
	GPtrArray *warnings;          /**< char *: e.g. a product without a detect rule */
};
/** Free what is inside. */
void ib_metadata_result_clear(struct ib_metadata_result *r);

/**
 * Write the pair for an image, the category documents, the revised documents of other images whose relations
 * change, export.cab (package.xml, metadata.txt), and offers.json (the simulator's proof).
 * @param catalog_dir  earlier documents of the stream; NULL or missing: none
 * @param out_dir      exists; gets the documents. NULL: everything is checked and proved, and nothing is written; size and
 *                     digests of the image need not be known yet
 * @param xsd_dir      folder of the schemas every document is validated against; NULL: not validated
 * Throws IB_ERR_INPUT (bad catalog document, version not above …, unknown product), IB_ERR_VERIFY (a lint or the
 * simulator finds two offers or a loop).
 */
bool ib_metadata_generate(const struct ib_metadata_image *image, const char *catalog_dir, const char *out_dir,
			  const char *xsd_dir, struct ib_metadata_result *ret, struct ib_error **err) IB_MUST_CHECK;

#endif
