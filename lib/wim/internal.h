/* wim, private: what the files of this module share. */
#ifndef IB_WIM_INTERNAL_H
#define IB_WIM_INTERNAL_H

#include "codec/codec.h"
#include "digest/digest.h"
#include "wim/wim.h"

/* ---- the format ---- */

#define WIM_HEADER_SIZE 208u
#define WIM_RESHDR_SIZE 24u
#define WIM_ENTRY_SIZE 50u
#define WIM_CHUNK_DEFAULT 32768u

#define WIM_VERSION 0x10d00u
#define WIM_VERSION_SOLID 0xe00u

#define WIM_FLAG_COMPRESSED 0x2u
#define WIM_FLAG_READ_ONLY 0x4u
#define WIM_FLAG_SPANNED 0x8u
#define WIM_FLAG_IN_PROGRESS 0x40u
#define WIM_FLAG_REPARSE_FIX 0x80u
#define WIM_FLAG_XPRESS 0x20000u
#define WIM_FLAG_LZX 0x40000u
#define WIM_FLAG_LZMS 0x80000u

#define RES_FREE 0x1u
#define RES_METADATA 0x2u
#define RES_COMPRESSED 0x4u
#define RES_SPANNED 0x8u
#define RES_SOLID 0x10u

/* The plain size that marks the blob table's entry of a solid resource itself. */
#define RES_SOLID_MARK 0x100000000u

/* ---- limits ---- */

/* Blob table: five million blobs; a Windows image has a tenth of a million. */
#define WIM_TABLE_MAX (256u << 20)
/* Metadata of one image: two million entries of 500 bytes; Windows has 0.2 million. */
#define WIM_METADATA_MAX (1u << 30)
/* A metadata resource is text-like: beyond this ratio it was made to fill memory. */
#define WIM_METADATA_RATIO 512u
/* Images in a file; multi-edition media have about a dozen. */
#define WIM_IMAGES_MAX 1000u
/* Parts of a split WIM: a hundred DVDs. */
#define WIM_PARTS_MAX 256u
/* Directories in directories; Windows itself stays below 40. */
#define WIM_DEPTH_MAX 512u
/* Blocks of the integrity table, as all known writers choose them. */
#define WIM_INTEGRITY_CHUNK (10u << 20)
/* Chunk of LZMS: what Microsoft's own software takes at most. */
#define WIM_LZMS_CHUNK_MAX (1u << 26)

/* ---- resources and blobs ---- */

struct reshdr {
	uint64_t offset, stored, size;
	uint8_t flags;
};

/* Many blobs compressed as one. The last chunk read is kept: neighbours are read in order. */
struct solid {
	struct ib_input *file; /* the part it lies in; borrowed */
	uint64_t *offsets; /* of the chunks in the file, count + 1; read on first use */
	uint64_t at, stored, size;
	size_t chunk, count;
	enum ib_wim_compression compression;
	struct ib_decompressor *decompressor;
	uint8_t *in, *plain;
	size_t current; /* chunk in plain; count = none */
};

enum blob_where { BLOB_FILE, BLOB_SOLID, BLOB_SPOOL };

struct blob {
	uint8_t hash[IB_WIM_HASH_SIZE];
	bool unhashed;      /* a resource without a known hash */
	enum blob_where where;
	uint8_t flags;      /* of the resource in the file */
	uint64_t size;      /* plain bytes */
	uint64_t at;        /* file: of the resource; solid: in its plain bytes; spool: of the first chunk */
	uint64_t stored;    /* file: with chunk table; spool: chunks only */
	struct ib_input *in; /* file: the part it lies in; borrowed */
	uint16_t part;      /* its number; spool: 0 */
	struct solid *solid;
	GArray *sizes;      /* spool: stored bytes of each chunk (uint32_t); NULL when all are plain */
	struct spool *spool;
	bool complete;      /* spool: all its chunks are there */
	bool moved;         /* spool: to what ib_wim_write_begin() began; `at` is a place in there */
	bool settled;       /* spool: and in the spool's file, for all threads */
	/* while writing */
	uint32_t refs;
	bool ahead;         /* on its way to the output since ib_wim_write_begin(); `out` says where to */
	struct reshdr out;
};

struct spool;
struct out_buffer;
struct writer;

/* What the spool does when a blob is complete; the blob belongs to it from then on. */
typedef bool (*spool_done)(void *data, struct blob *blob, struct ib_error **err);
/* The same for blobs that are kept: one more is complete, and its bytes are at hand. */
typedef bool (*spool_ready)(void *data, struct ib_error **err);

struct ib_wim {
	struct ib_input *in; /* NULL: a new WIM; of a split one the first part, while opening the one being read */
	GPtrArray *parts;    /* struct ib_input, all of them */
	uint16_t part;       /* while opening: number of the part being read */
	char *spool_dir;
	struct ib_wim_info info;
	uint32_t flags;      /* of the header */
	unsigned level, threads, boot_index;
	GRWLock lock;        /* of blobs and of their `settled`: written by the owner, read by ib_wim_read_shared() */
	GHashTable *blobs;   /* hash -> struct blob */
	GPtrArray *order;    /* all blobs, in the order of the table and then of adding */
	guint settled;       /* so many of them, from the first one on, can be read from any thread */
	GPtrArray *solids;
	GMutex solid_lock;
	struct solid *open_solid; /* the one that holds buffers: they are large */
	GPtrArray *images;   /* struct ib_image */
	struct ib_xml *xml;
	struct spool *spool;
	struct writer *writer; /* NULL: ib_wim_write_begin() was not called, or is over */
	struct ib_output begun; /* where moved blobs lie: what that call was given, with an fd and a name of our own; fd -1:
				   it was not called */
};

/* ---- trees ---- */

struct stream {
	uint8_t hash[IB_WIM_HASH_SIZE];
	uint16_t name_bytes;
	uint64_t reserved;
	uint8_t *name; /* UTF-16LE, name_bytes long */
};

/* A file or directory; all names of one file share it. */
struct inode {
	uint64_t id;       /* unique in the image, never 0 */
	unsigned names;
	uint32_t attributes;
	int32_t security;  /* index in the image's table, -1 none */
	uint64_t creation_time, access_time, write_time;
	uint8_t hash[IB_WIM_HASH_SIZE];
	uint8_t unused[16], reparse[8];
	uint32_t unknown;
	uint16_t extra_count;
	struct stream *extra;
	uint32_t tagged_bytes; /* multiple of 8 */
	uint8_t *tagged;
};

/* What only directories have. */
struct dir {
	struct ib_node *first, *last;
	unsigned count;
	bool sorted;       /* the list is in the order of names */
	unsigned twins;    /* names that differ from another one in case only */
	GHashTable *index; /* struct ib_node by its name, when there are many */
};

struct ib_node {
	struct ib_node *parent, *prev, *next;
	char *name, *short_name; /* short_name may be NULL */
	struct inode *inode;
	struct dir *dir; /* NULL for files */
};

struct security {
	GPtrArray *table;  /* GBytes, by index */
	GHashTable *index; /* GBytes -> index + 1 */
};

struct ib_image {
	struct ib_wim *wim;
	struct blob *metadata; /* as in the file; NULL for a new image */
	struct ib_xml_node *xml;
	struct ib_node *root;  /* NULL: not loaded */
	struct security *security;
	uint64_t next_id;
	bool edited;
	struct reshdr out;
	uint8_t out_hash[IB_WIM_HASH_SIZE];
};

/* ---- open.c ---- */
struct ib_image *ib_wim_image_at(struct ib_wim *wim, unsigned index);

/* ---- blob.c ---- */
extern const uint8_t ib_wim_zero_hash[IB_WIM_HASH_SIZE];
bool ib_wim_hash_is_zero(const uint8_t *hash);
struct blob *ib_wim_blob_find(struct ib_wim *wim, const uint8_t *hash);
void ib_wim_blob_free(void *blob);
/* In the order in which they are best read; for g_ptr_array_sort(). */
gint ib_wim_blob_by_place(gconstpointer a, gconstpointer b);
guint ib_wim_hash_hash(gconstpointer key);
gboolean ib_wim_hash_equal(gconstpointer a, gconstpointer b);
/* Bytes of the chunk table in front of a compressed resource, entries of 4 or 8 bytes. */
uint64_t ib_wim_chunk_table_size(uint64_t size, uint32_t chunk);
bool ib_wim_codec_of(enum ib_wim_compression compression, enum ib_codec *ret);
/* Chunk size and compression fit together; err says why not. name: file. */
bool ib_wim_check_chunk(enum ib_wim_compression compression, uint32_t chunk, const char *name, struct ib_error **err);
/* Stream over a blob that is settled (ib_wim_settle()), or not in the spool; may be used on any thread. */
bool ib_wim_blob_stream(struct ib_wim *wim, const struct blob *blob, struct ib_stream **ret, struct ib_error **err);
/* Whole blob in memory; as above. */
bool ib_wim_blob_bytes(struct ib_wim *wim, const struct blob *blob, uint64_t limit, GBytes **ret,
		       struct ib_error **err);

/* ---- table.c ---- */
struct reshdr ib_wim_get_reshdr(const uint8_t *p);
void ib_wim_put_reshdr(uint8_t *p, const struct reshdr *r);
bool ib_wim_read_table(struct ib_wim *wim, GBytes *table, struct ib_error **err);
/* After the tables of all parts. */
bool ib_wim_check_table(struct ib_wim *wim, struct ib_error **err);
bool ib_wim_check_range(struct ib_wim *wim, const struct reshdr *r, const char *what, struct ib_error **err);

/* ---- solid.c ---- */
bool ib_wim_solid_new(struct ib_wim *wim, const struct reshdr *r, struct solid **ret, struct ib_error **err);
void ib_wim_solid_free(void *solid);
bool ib_wim_solid_read(struct ib_wim *wim, struct solid *s, uint64_t at, void *buf, size_t len, struct ib_error **err);

/* ---- plan.c: what writing does with each blob ---- */
struct write_plan {
	struct ib_wim *wim;
	const struct ib_wim_write_options *options;
	enum ib_wim_compression compression;
	uint32_t chunk, solid_chunk;
	/* Borrowed blobs that are referred to: written already, copied as they are, in the spool, to be compressed anew. */
	GPtrArray *ahead, *raw, *spooled, *recode;
};
/* describe: write the sums into the XML, too. Fini also after a failure. */
bool ib_wim_plan(struct ib_wim *wim, const struct ib_wim_write_options *options, bool describe, struct write_plan *ret,
		 struct ib_error **err);
void ib_wim_plan_fini(struct write_plan *plan);
/* Whether the stored bytes of a blob can be used as they are. */
bool ib_wim_plan_copies(const struct write_plan *plan, const struct blob *blob);
/* What waits in the spool is complete afterwards, and can be read from any thread. */
bool ib_wim_flush_spool(struct ib_wim *wim, struct ib_error **err);

/* ---- write.c ---- */
bool ib_wim_check_write(struct ib_wim *wim, const struct ib_wim_write_options *options, struct ib_error **err);
/* After ib_wim_write_begin(): what is complete of the content added since then goes to the output, too. Else nothing. */
bool ib_wim_write_new(struct ib_wim *wim, struct ib_error **err);
/* What went there can be read. */
bool ib_wim_writer_flush(struct ib_wim *wim, struct ib_error **err);
/* Where the next byte goes, of what ib_wim_write_begin() began; 0: nothing. */
uint64_t ib_wim_writer_at(const struct ib_wim *wim);
void ib_wim_writer_free(struct writer *writer);

/* ---- solid_write.c ---- */
/* Write blobs, in their order, as one LZMS resource; sets their `out`. */
bool ib_wim_solid_write(struct ib_wim *wim, GPtrArray *blobs, uint32_t chunk, struct out_buffer *out,
			struct ib_progress *progress, struct reshdr *ret, struct ib_error **err);
/* Bytes of header and table. */
uint64_t ib_wim_solid_overhead(uint64_t plain, uint32_t chunk);

/* ---- raw.c: copying what is unchanged, in the background ---- */
struct raw_copy;
/* Lay blobs (sorted by place) out from `at` on, which sets their `out`, and begin to copy. */
struct raw_copy *ib_wim_raw_start(GPtrArray *blobs, const struct ib_output *out, uint64_t at,
				  struct ib_progress *progress, uint64_t *ret_end);
/* Wait for the end of it. Takes copy; NULL is fine. */
bool ib_wim_raw_finish(struct raw_copy *copy, struct ib_error **err);
/* Whether it goes well so far; else as ib_wim_raw_finish(). */
bool ib_wim_raw_check(struct raw_copy **copy, struct ib_error **err);
/* Give it up. Takes copy; NULL is fine. */
void ib_wim_raw_stop(struct raw_copy *copy);
/* Bytes that gaps take at most. */
uint64_t ib_wim_raw_overhead(uint64_t stored);

/* ---- spool.c ---- */
struct spool_params {
	const char *dir; /* NULL: memory; borrowed */
	enum ib_wim_compression compression;
	uint32_t chunk;
	unsigned level, threads;
	spool_done done; /* NULL: blobs are kept and belong to the caller */
	spool_ready ready; /* without `done`; NULL: none */
	void *data;
};
bool ib_wim_spool_new(const struct spool_params *params, struct spool **ret, struct ib_error **err);
void ib_wim_spool_free(struct spool *spool);
/* known: a set to look the content up in (hash -> blob), or NULL. *ret_blob NULL: empty or known content. */
bool ib_wim_spool_add(struct spool *spool, struct ib_stream *stream, GHashTable *known, uint8_t *ret_hash,
		      uint64_t *ret_size, struct blob **ret_blob, struct ib_error **err);
/* The same with bytes of the caller's, which are copied. */
bool ib_wim_spool_add_bytes(struct spool *spool, const void *data, size_t len, GHashTable *known, uint8_t *ret_hash,
			    struct blob **ret_blob, struct ib_error **err);
/* Wait for the pool: all blobs are complete. */
bool ib_wim_spool_flush(struct spool *spool, struct ib_error **err);
bool ib_wim_spool_read(const struct spool *spool, uint64_t at, void *buf, size_t len, struct ib_error **err);
/* Bytes that are still in memory; owner's thread only. @return NULL: not, or not all of them */
const uint8_t *ib_wim_spool_peek(const struct spool *spool, uint64_t at, uint64_t len);
/* What came out of the pool can be read from now on. */
bool ib_wim_spool_store(struct spool *spool, struct ib_error **err);
/* A blob is stored elsewhere: the spool need not keep it. */
void ib_wim_spool_release(struct spool *spool, const struct blob *blob);
enum ib_wim_compression ib_wim_spool_compression(const struct spool *spool);
uint32_t ib_wim_spool_chunk(const struct spool *spool);

/* ---- out.c: a buffered writer that only appends ---- */
struct out_buffer {
	struct ib_output out;
	uint64_t at; /* next byte, buffered ones counted */
	size_t lead, fill; /* of buf: where it begins, so that pages of the file are pages of memory; and how much it holds */
	uint8_t *buf;
	int direct;  /* ib_output_direct() */
};
void ib_wim_out_init(struct out_buffer *o, const struct ib_output *out);
void ib_wim_out_fini(struct out_buffer *o);
bool ib_wim_out_put(struct out_buffer *o, const void *data, size_t len, struct ib_error **err);
bool ib_wim_out_flush(struct out_buffer *o, struct ib_error **err);
/* So many bytes can still be put without one being written. */
size_t ib_wim_out_room(const struct out_buffer *o);
/* The oldest n bytes that are not written yet never will be: nobody is going to read them. */
void ib_wim_out_drop(struct out_buffer *o, size_t n);

/* ---- node.c: nodes and inodes ---- */
struct inode *ib_wim_inode_new(struct ib_image *image);
void ib_wim_inode_unref(struct inode *inode);
/* Takes name and short_name; adds one name to inode. */
struct ib_node *ib_wim_node_new(char *name, char *short_name, struct inode *inode);
void ib_wim_node_free(struct ib_node *node);
/* Adds a name the directory does not have; names differing in case only are allowed, as files bring them. */
bool ib_wim_dir_insert(struct ib_node *dir, struct ib_node *node);
void ib_wim_dir_sort(struct dir *dir);
void ib_wim_dir_unlink(struct ib_node *node);
struct ib_node *ib_wim_dir_find(const struct ib_node *dir, const char *name);
/* The slot that holds the unnamed stream's hash, or NULL when there is none. */
uint8_t *ib_wim_inode_content(struct inode *inode);
bool ib_wim_inode_is_dir(const struct inode *inode);

/* ---- security.c ---- */
struct security *ib_wim_security_new(void);
void ib_wim_security_free(struct security *s);
/* As read from a file: keeps the index, also of equal ones. */
void ib_wim_security_append(struct security *s, GBytes *descriptor);
/* Index of a descriptor, added when new; NULL gives -1. */
int32_t ib_wim_security_intern(struct security *s, GBytes *descriptor);

/* ---- metadata_read.c, metadata_write.c ---- */
bool ib_wim_metadata_read(struct ib_image *image, GBytes *bytes, struct ib_error **err);
bool ib_wim_metadata_write(struct ib_image *image, GBytes **ret, struct ib_error **err);
void ib_wim_image_unload(struct ib_image *image);
bool ib_wim_image_load(struct ib_image *image, unsigned index, struct ib_error **err);

/* ---- count.c ---- */
struct image_sums {
	uint64_t dirs, files, total, hard_link;
};
/* Add an image's references to its blobs and sum up. */
bool ib_wim_count(struct ib_image *image, struct image_sums *ret, struct ib_error **err);

/* ---- xml.c ---- */
bool ib_wim_xml_read(struct ib_wim *wim, GBytes *bytes, struct ib_error **err);
void ib_wim_xml_set_sums(struct ib_image *image, const struct image_sums *sums);
void ib_wim_xml_set_number(struct ib_xml_node *parent, const char *name, uint64_t value);
void ib_wim_xml_set_time(struct ib_image *image, const char *name, uint64_t filetime);
void ib_wim_xml_renumber(struct ib_wim *wim);

#endif
