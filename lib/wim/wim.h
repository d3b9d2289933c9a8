/**
 * wim: image files. Open a WIM (a file, or inside an ISO through an extent
 * input), edit the tree of an image in memory, write a new WIM.
 *
 * Model: a `struct ib_wim` is an open file with its blob table; each image has
 * a tree of nodes (directory entries). A node's content is a blob, named by its
 * SHA-1; blobs are shared by all images. New content is given to
 * ib_wim_add_blob(), which compresses it at once and keeps the compressed bytes
 * in a spool until the WIM is written. Unchanged blobs are copied as they are.
 *
 * Reference counts, link groups and the XML's sums are computed when writing:
 * a caller cannot get them wrong.
 *
 * Paths are UTF-8, separated by '\' (or '/'), relative to the image's root,
 * compared as Windows compares names. Format facts: Microsoft's "Windows
 * Imaging File Format" paper, checked against libwim.
 *
 * Threads: one ib_wim belongs to one thread at a time; it uses a pool inside. Content may be read from other threads
 * meanwhile by ib_wim_read_shared().
 */
#ifndef IB_WIM_WIM_H
#define IB_WIM_WIM_H

#include "base/base.h"
#include "xml/xml.h"

#define IB_WIM_HASH_SIZE 20

struct ib_wim;       /**< an open WIM */
struct ib_image;     /**< one image of it, with its tree; borrowed from the ib_wim */
struct ib_node;      /**< one directory entry; borrowed from its image */

enum ib_wim_compression { IB_WIM_NONE, IB_WIM_XPRESS, IB_WIM_LZX, IB_WIM_LZMS };

/* Windows file attributes that matter here. */
#define IB_ATTR_READONLY 0x1u
#define IB_ATTR_HIDDEN 0x2u
#define IB_ATTR_SYSTEM 0x4u
#define IB_ATTR_DIRECTORY 0x10u
#define IB_ATTR_ARCHIVE 0x20u
#define IB_ATTR_NORMAL 0x80u
#define IB_ATTR_REPARSE 0x400u

/** What the header says. */
struct ib_wim_info {
	enum ib_wim_compression compression;
	uint32_t chunk_size;   /**< bytes */
	uint32_t image_count;
	uint32_t boot_index;   /**< 1-based; 0 none */
	uint8_t guid[16];
	bool has_integrity;    /**< an integrity table is present */
	bool has_solid;        /**< at least one solid resource (ESD) */
	uint64_t blob_count;   /**< entries in the blob table, metadata not counted */
	uint64_t stored_bytes; /**< size of the WIM */
	uint64_t blob_bytes;   /**< uncompressed, each blob once */
};

/* ---- opening ---- */

/**
 * Open a WIM.
 * @param in         takes a reference
 * @param spool_dir  folder for the spool of new blobs (an unlinked file); NULL: memory only; copied
 * Throws IB_ERR_INPUT for anything malformed or unsupported (a single part of several, pipable), by name.
 */
bool ib_wim_open(struct ib_input *in, const char *spool_dir, struct ib_wim **ret, struct ib_error **err)
	IB_MUST_CHECK;

/**
 * Open a split WIM (.swm): all its parts in order. Writing makes one whole WIM of it.
 * @param parts  takes a reference on each
 * Throws as ib_wim_open(), and IB_ERR_INPUT when part numbers, GUIDs or compression do not belong together.
 */
bool ib_wim_open_parts(struct ib_input *const *parts, size_t count, const char *spool_dir, struct ib_wim **ret,
		       struct ib_error **err) IB_MUST_CHECK;

/** Open a WIM by its path; with the first part of a split one (name.swm) its others (name2.swm …) are opened, too.
 *  Throws as ib_wim_open_parts(). */
bool ib_wim_open_file(const char *path, const char *spool_dir, struct ib_wim **ret, struct ib_error **err) IB_MUST_CHECK;

/** A new, empty WIM (no image). compression none/XPRESS/LZX; chunk_size 0 = the type's default. */
struct ib_wim *ib_wim_new(enum ib_wim_compression compression, uint32_t chunk_size, const char *spool_dir);

/** Free the WIM with all its images; NULL is fine. */
void ib_wim_free(struct ib_wim *wim);

/** What the header says; borrowed. */
const struct ib_wim_info *ib_wim_info(const struct ib_wim *wim);

/** LZX level 1..100 for new blobs (default 20; 0 = default) and number of compressor threads (0 = number of
 *  processors). To be called before the first content is added. The result's bytes depend on the level only. */
void ib_wim_set_compressor(struct ib_wim *wim, unsigned level, unsigned threads);

/* ---- images ---- */

/** The XML element of an image (1-based index), editable; borrowed. NULL when there is no such image. */
struct ib_xml_node *ib_wim_image_xml(struct ib_wim *wim, unsigned index);

/** Text of an XML path below IMAGE, e.g. "WINDOWS/EDITIONID"; owned by the caller (g_free); NULL when absent. */
char *ib_wim_image_property(struct ib_wim *wim, unsigned index, const char *path);

/** Set the text of an XML path below IMAGE, creating elements. */
void ib_wim_image_set_property(struct ib_wim *wim, unsigned index, const char *path, const char *text);

/**
 * Load an image's tree (checked against the metadata's SHA-1), once; later calls return the same.
 * @param index  1-based. Throws IB_ERR_INPUT (malformed, no such image), IB_ERR_VERIFY (metadata hash).
 */
bool ib_wim_image(struct ib_wim *wim, unsigned index, struct ib_image **ret, struct ib_error **err) IB_MUST_CHECK;

/** Add an empty image (only a root directory). @return its 1-based index */
unsigned ib_wim_add_image(struct ib_wim *wim, const char *name);

/** Drop an image from what will be written. Indices of later images go down by one. */
bool ib_wim_drop_image(struct ib_wim *wim, unsigned index, struct ib_error **err) IB_MUST_CHECK;

/** Set the boot index for writing (1-based, 0 none). */
void ib_wim_set_boot_index(struct ib_wim *wim, unsigned index);

/* ---- looking ---- */

/** The root directory; borrowed. */
struct ib_node *ib_image_root(struct ib_image *image);

/** The node at a path, or NULL; borrowed. "" is the root. Reparse points are not followed. */
struct ib_node *ib_image_find(struct ib_image *image, const char *path);

/** First child in the order of the names (NULL: none or not a directory), and next sibling. */
struct ib_node *ib_node_first(const struct ib_node *dir);
struct ib_node *ib_node_next(const struct ib_node *node);
/** Parent; NULL for the root. */
struct ib_node *ib_node_parent(const struct ib_node *node);
/** Name (UTF-8); "" for the root; borrowed. */
const char *ib_node_name(const struct ib_node *node);
/** 8.3 name or NULL; borrowed. */
const char *ib_node_short_name(const struct ib_node *node);
/** Path from the root with '\' between names and none in front; owned by the caller (g_free). */
char *ib_node_path(const struct ib_node *node);
/** Windows attributes. */
uint32_t ib_node_attributes(const struct ib_node *node);
bool ib_node_is_dir(const struct ib_node *node);
/** Last write time, FILETIME. */
uint64_t ib_node_write_time(const struct ib_node *node);
/** SHA-1 of the unnamed stream; NULL for directories and empty files; borrowed. */
const uint8_t *ib_node_hash(const struct ib_node *node);
/** Size of the unnamed stream, bytes. */
uint64_t ib_node_size(struct ib_image *image, const struct ib_node *node);
/** Self-relative security descriptor or NULL; borrowed bytes, do not unref. */
GBytes *ib_node_security(struct ib_image *image, const struct ib_node *node);
/** A number equal for all names of one file (hard links) and different for different files; 0: a single name. */
uint64_t ib_node_link_group(const struct ib_node *node);
/** How many names the file has in this image (>= 1). */
unsigned ib_node_link_count(struct ib_image *image, const struct ib_node *node);

/* ---- content ---- */

/** Whether a blob with this SHA-1 is known. ret_size (bytes) may be NULL. */
bool ib_wim_has_blob(struct ib_wim *wim, const uint8_t hash[IB_WIM_HASH_SIZE], uint64_t *ret_size);

/** Read a blob whole and check its SHA-1 (IB_ERR_VERIFY); refuses more than limit bytes. Result: g_bytes_unref. */
bool ib_wim_read_blob(struct ib_wim *wim, const uint8_t hash[IB_WIM_HASH_SIZE], uint64_t limit, GBytes **ret,
		      struct ib_error **err) IB_MUST_CHECK;

/**
 * Let ib_wim_read_shared() find all content that was added so far; what the file itself holds, it always finds.
 * To be called by the thread the WIM belongs to. Throws IB_ERR_SYSTEM when the spool cannot be written.
 */
bool ib_wim_settle(struct ib_wim *wim, struct ib_error **err) IB_MUST_CHECK;
/** The same for one blob's sake: what can be read already is not waited for, and compressing goes on. */
bool ib_wim_settle_blob(struct ib_wim *wim, const uint8_t hash[IB_WIM_HASH_SIZE], struct ib_error **err) IB_MUST_CHECK;

/**
 * As ib_wim_read_blob(), from any thread, from several at once: while the thread the WIM belongs to looks, adds content
 * and edits trees, but does not write or free the WIM. Only looking up is serialised; each call decompresses for
 * itself, except solid resources (ESD), of which one chunk at a time is unpacked and kept.
 * Throws as ib_wim_read_blob(); content that was added and not settled yet is not found (IB_ERR_INPUT).
 */
bool ib_wim_read_shared(struct ib_wim *wim, const uint8_t hash[IB_WIM_HASH_SIZE], uint64_t limit, GBytes **ret,
			struct ib_error **err) IB_MUST_CHECK;

/** A stream over a blob; its SHA-1 is checked at the end (IB_ERR_VERIFY). Result: ib_stream_free. */
bool ib_wim_open_blob(struct ib_wim *wim, const uint8_t hash[IB_WIM_HASH_SIZE], struct ib_stream **ret,
		      struct ib_error **err) IB_MUST_CHECK;

/**
 * A blob where it lies in the file, when it is not compressed: bytes at any offset, without reading those before.
 * Its SHA-1 is not checked.
 * @param name  of the result, for messages; copied
 * @param ret   owned by the caller (ib_input_unref); NULL when the blob is compressed, solid, new or empty
 */
bool ib_wim_map_blob(struct ib_wim *wim, const uint8_t hash[IB_WIM_HASH_SIZE], const char *name,
		     struct ib_input **ret, struct ib_error **err) IB_MUST_CHECK;

/** Content of the file at a path; IB_ERR_INPUT when there is none. Result: g_bytes_unref. */
bool ib_image_read(struct ib_image *image, const char *path, uint64_t limit, GBytes **ret, struct ib_error **err)
	IB_MUST_CHECK;

/**
 * Store content: hash, compress, keep. Content that is already known is not kept twice.
 * @param stream    read to its end; borrowed
 * @param ret_hash  SHA-1 of the content (for empty content: all zeros, no blob)
 * @param ret_size  bytes; may be NULL
 */
bool ib_wim_add_blob(struct ib_wim *wim, struct ib_stream *stream, uint8_t ret_hash[IB_WIM_HASH_SIZE],
		     uint64_t *ret_size, struct ib_error **err) IB_MUST_CHECK;

/** The same from memory. */
bool ib_wim_add_bytes(struct ib_wim *wim, const void *data, size_t len, uint8_t ret_hash[IB_WIM_HASH_SIZE],
		      struct ib_error **err) IB_MUST_CHECK;

/* ---- editing ---- */

/** Metadata of a new file or directory. A zeroed struct is a plain file with no descriptor at time 0. */
struct ib_node_meta {
	uint32_t attributes;     /**< IB_ATTR_…; DIRECTORY is added where due */
	uint64_t creation_time;  /**< FILETIME */
	uint64_t access_time;    /**< FILETIME */
	uint64_t write_time;     /**< FILETIME */
	GBytes *security;        /**< self-relative descriptor; NULL none; borrowed, deduplicated in the image's table */
};

/**
 * Create or replace the file at a path; missing parent directories are an error (IB_ERR_INPUT).
 * A replaced file gets the new content and metadata *at this name only*: other hard links of
 * the old file keep the old content. Illegal Windows names are IB_ERR_INPUT.
 * @param hash  SHA-1 of a known blob; all zeros or NULL: an empty file
 */
bool ib_image_put(struct ib_image *image, const char *path, const uint8_t *hash, const struct ib_node_meta *meta,
		  struct ib_node **ret, struct ib_error **err) IB_MUST_CHECK;

/** New content for an existing file, at all of its names; metadata stays, except write_time when not 0. */
bool ib_image_set_content(struct ib_image *image, struct ib_node *node, const uint8_t *hash, uint64_t write_time,
			  struct ib_error **err) IB_MUST_CHECK;

/** Create a directory and missing parents, all with meta; one that exists stays as it is. ret may be NULL. */
bool ib_image_mkdir(struct ib_image *image, const char *path, const struct ib_node_meta *meta,
		    struct ib_node **ret, struct ib_error **err) IB_MUST_CHECK;

/** One more name for an existing file (hard link); replaces a file that lies at path. ret may be NULL.
 *  NTFS takes at most 1024 names of one file: more are IB_ERR_INPUT. */
bool ib_image_link(struct ib_image *image, struct ib_node *existing, const char *path, struct ib_node **ret,
		   struct ib_error **err) IB_MUST_CHECK;

/* What MS-FSCC 2.1.2.1 calls them. */
#define IB_REPARSE_JUNCTION 0xa0000003u
#define IB_REPARSE_SYMLINK 0xa000000cu
/** Bytes of reparse data that NTFS takes, without its header. */
#define IB_REPARSE_MAX 16376u

/**
 * Create a reparse point; it replaces a file that lies at path. meta->attributes with IB_ATTR_DIRECTORY: a directory.
 * @param data  reparse data behind the eight bytes of tag and length; borrowed
 * @param ret   borrowed; may be NULL
 */
bool ib_image_put_reparse(struct ib_image *image, const char *path, uint32_t tag, GBytes *data,
			  const struct ib_node_meta *meta, struct ib_node **ret, struct ib_error **err) IB_MUST_CHECK;

enum ib_link_kind { IB_LINK_JUNCTION, IB_LINK_FILE, IB_LINK_DIRECTORY };

/**
 * Create a junction or a symbolic link (to a file, to a directory).
 * @param target  "C:\dir\x", or for symbolic links also relative to the link's folder; a junction's must be full
 */
bool ib_image_put_link(struct ib_image *image, const char *path, enum ib_link_kind kind, const char *target,
		       const struct ib_node_meta *meta, struct ib_error **err) IB_MUST_CHECK;

/** Tag of a reparse point; 0 for others. */
uint32_t ib_node_reparse_tag(const struct ib_node *node);
/** SHA-1 of its reparse data; NULL when there is none; borrowed. */
const uint8_t *ib_node_reparse_hash(const struct ib_node *node);

/** How many named streams a file or directory has. */
unsigned ib_node_stream_count(const struct ib_node *node);
/** Name of named stream i; owned by the caller (g_free). */
char *ib_node_stream_name(const struct ib_node *node, unsigned i);
/** SHA-1 of named stream i; NULL when it is empty; borrowed until the streams change. */
const uint8_t *ib_node_stream_hash(const struct ib_node *node, unsigned i);
/** Add a named stream, or give it new content, at all names of the file. hash: as in ib_image_put(). */
bool ib_image_put_stream(struct ib_image *image, struct ib_node *node, const char *name, const uint8_t *hash,
			 struct ib_error **err) IB_MUST_CHECK;
/** Remove a named stream. @return whether it was there */
bool ib_image_remove_stream(struct ib_image *image, struct ib_node *node, const char *name);

/** Remove a name, or a directory with all below it. The root cannot be removed. */
bool ib_image_remove(struct ib_image *image, struct ib_node *node, struct ib_error **err) IB_MUST_CHECK;

/** Move a node to another path; an existing target is IB_ERR_INPUT. */
bool ib_image_rename(struct ib_image *image, struct ib_node *node, const char *path, struct ib_error **err)
	IB_MUST_CHECK;

/** Set attributes at all names of the file. */
void ib_node_set_attributes(struct ib_image *image, struct ib_node *node, uint32_t attributes);

/** Set the security descriptor at all names of the file; NULL removes it; borrowed. */
void ib_node_set_security(struct ib_image *image, struct ib_node *node, GBytes *descriptor);

/* ---- security descriptors ---- */

/**
 * SDDL text to a self-relative descriptor: owner, group, DACL, SACL; allow, deny, audit,
 * object, conditional (XA, XD, XU, ZA, FL) and attribute (RA) ACEs; SIDs by number and by the well-known two-letter
 * names.
 * Throws IB_ERR_INPUT with the place in the text. Result: g_bytes_unref.
 * SIDs relative to a domain are refused by name.
 * Format: MS-DTYP 2.5.1, 2.4.
 */
bool ib_sddl_parse(const char *text, GBytes **ret, struct ib_error **err) IB_MUST_CHECK;

/** A descriptor's SDDL text; owned by the caller (g_free). Throws IB_ERR_INPUT when malformed, or when it has
 *  entries that ib_sddl_parse() does not take (images keep those as they are). */
bool ib_sddl_format(GBytes *descriptor, char **ret, struct ib_error **err) IB_MUST_CHECK;

/** The SID of a service by its name ("TrustedInstaller" of "NT SERVICE\\TrustedInstaller"): S-1-5-80 and the SHA-1 of
 *  the upper-cased name. @return owned by the caller (g_free). Source: MS-DTYP 2.4.2.4. */
char *ib_sddl_service_sid(const char *service);

/**
 * The descriptor that a new file (or folder) gets in a folder: its inheritable entries, marked as inherited, with the
 * folder's owner and group; CREATOR OWNER and generic rights are resolved. When the folder passes nothing on, its own
 * descriptor. Audit entries are not inherited.
 * @param parent  borrowed
 * @param ret     owned by the caller (g_bytes_unref)
 * Throws IB_ERR_INPUT when the parent's descriptor is malformed. Rules: MS-DTYP 2.5.3.4.
 */
bool ib_security_inherit(GBytes *parent, bool dir, GBytes **ret, struct ib_error **err) IB_MUST_CHECK;

/* ---- writing ---- */

struct ib_wim_write_options {
	size_t size;                 /**< sizeof this struct */
	enum ib_wim_compression compression;
	bool set_compression;        /**< use `compression`/`chunk_size` instead of the input's */
	uint32_t chunk_size;
	bool recompress;             /**< compress everything anew, also what could be copied */
	bool solid;                  /**< all content in one LZMS resource (.esd); compression is LZMS then, chunk_size of
				          the metadata */
	uint32_t solid_chunk;        /**< bytes, a power of two; 0: 8 MiB. A thread needs about ten times as much memory */
	bool integrity;              /**< write an integrity table */
	uint8_t guid[16];            /**< of the result; reproducible builds give a UUIDv5 */
	uint64_t time;               /**< FILETIME: LASTMODIFICATIONTIME of edited images */
	struct ib_progress *progress; /**< counts stored bytes written; may be NULL */
};

/** What writing would cost and give; no writes. */
struct ib_wim_cost {
	uint64_t copy_bytes;       /**< compressed bytes copied as they are */
	uint64_t new_bytes;        /**< compressed bytes from the spool */
	uint64_t recompress_bytes; /**< uncompressed bytes that must be recompressed */
	uint64_t max_total_bytes;  /**< upper bound of the result's size */
};
bool ib_wim_cost(struct ib_wim *wim, const struct ib_wim_write_options *options, struct ib_wim_cost *ret,
		 struct ib_error **err) IB_MUST_CHECK;

/**
 * Begin to write before all edits are made: content that the edits made so far leave in place is copied from now on, in
 * the background, while new content is added. Call it once, after the files to be replaced were emptied or deleted:
 * content that a later edit drops leaves a gap in the file. ib_wim_write() must be called with the same output and
 * options, or ib_wim_free(). New content goes straight to the output and is read there from now on, also when it is
 * written to a second place later (not to the same one: IB_ERR_FAILED). So nobody may change the output while the WIM
 * is there; after a failure that means to free the WIM.
 * @param out  its fd and name are borrowed until ib_wim_write() or ib_wim_free(); the file stays open until the latter
 * Throws as ib_wim_write(); what goes wrong while copying is thrown there, or by the adding or reading of content.
 */
bool ib_wim_write_begin(struct ib_wim *wim, const struct ib_output *out, const struct ib_wim_write_options *options,
			struct ib_error **err) IB_MUST_CHECK;

/**
 * Write all images to an output (a new file, or a region of an ISO).
 * Blobs no image refers to are left out. The header is written last; before, the file says it is incomplete.
 * Content of a solid file is compressed anew, also when the result is solid.
 * @param ret_size  size of the WIM in bytes
 * Throws IB_ERR_SYSTEM (space …), IB_ERR_INPUT/IB_ERR_VERIFY (a source blob is bad), IB_ERR_INTERRUPTED.
 */
bool ib_wim_write(struct ib_wim *wim, const struct ib_output *out, const struct ib_wim_write_options *options,
		  uint64_t *ret_size, struct ib_error **err) IB_MUST_CHECK;

/* ---- looking in as a folder ---- */

/**
 * Mount an image read-only on a folder, by libwim's FUSE file system; a process in the background serves it until
 * ib_wim_unmount(). To be called while this process has no other threads.
 * @param path   a WIM file; borrowed
 * @param index  1-based
 * Throws IB_ERR_INPUT (no WIM, a disc, no such image, no folder), IB_ERR_SYSTEM (no FUSE, mounting is not allowed).
 */
bool ib_wim_mount(const char *path, unsigned index, const char *dir, struct ib_error **err) IB_MUST_CHECK;

/** Undo ib_wim_mount(). Throws IB_ERR_SYSTEM when nothing is mounted there or it is in use. */
bool ib_wim_unmount(const char *dir, struct ib_error **err) IB_MUST_CHECK;

/** Read every blob and check its SHA-1, on all processors. only: NULL = all; else a set of 20-byte keys
 *  (GHashTable of GBytes) to check. Throws IB_ERR_VERIFY naming the first bad blob and a file that uses it. */
bool ib_wim_verify_blobs(struct ib_wim *wim, GHashTable *only, struct ib_progress *progress, struct ib_error **err)
	IB_MUST_CHECK;

#endif
