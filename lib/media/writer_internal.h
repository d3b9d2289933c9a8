/* media, private: the tree of a disc being made and its layout. */
#ifndef IB_MEDIA_WRITER_INTERNAL_H
#define IB_MEDIA_WRITER_INTERNAL_H

#include "media/internal.h"

/* Where things lie on our discs (sectors); see media.h for the standards. */
#define CATALOGUE_LSN 22u
#define MAIN_VDS_LSN 32u
#define RESERVE_VDS_LSN 48u
#define VDS_SECTORS 16u
#define LVID_LSN 64u
#define PARTITION_LSN (ANCHOR_LSN + 1)
/* Blocks at the start of the partition: file set descriptor and its terminator. */
#define FILESET_BLOCKS 2u

/* Unique ids below 16 are reserved (OSTA UDF 1.02, 3.2.1.1). */
#define UNIQUE_FIRST 16u

enum node_state {
	NODE_READY,    /* bytes are in `input`, or it is a folder */
	NODE_RESERVED, /* not yet written */
	NODE_OPEN,     /* the caller is writing it */
	NODE_WRITTEN,  /* the caller wrote it */
};

struct node {
	char *path;          /* "" for the root */
	const char *name;    /* inside path */
	bool is_dir;
	enum node_state state;
	int64_t mtime;
	uint64_t size;       /* bytes; of the identifiers for a folder */
	struct ib_input *input;
	struct node *parent; /* borrowed; the root's is the root */
	GPtrArray *children; /* borrowed nodes, by name once laid out */
	uint32_t entry_lbn;
	uint32_t data_lbn;
	uint32_t unique_id;
};

struct ib_media_writer {
	char *label;
	char *set_id; /* or NULL */
	int64_t epoch;
	char *boot_path[2]; /* BIOS, EFI; or NULL */
	struct node *boot[2];
	struct node *root;
	GHashTable *by_name; /* folded path -> node, owned */
	GPtrArray *dirs;     /* borrowed, in order of the disc; once laid out */
	GPtrArray *files;
	struct node *open;
	bool started;
	bool finished;
	uint64_t next_lsn;   /* first free sector behind the data */
	struct ib_output out;
};

/* Sectors that bytes take. */
static inline uint64_t sectors_of(uint64_t bytes)
{
	return bytes / IB_MEDIA_SECTOR + (bytes % IB_MEDIA_SECTOR ? 1 : 0);
}

/* Bytes of a file identifier with a name of that many encoded bytes. */
static inline size_t identifier_size(size_t name_bytes)
{
	return (38 + name_bytes + 3) & ~(size_t)3;
}

/* Write everything that is not file data; the image has `total` sectors. */
bool ib_media_write_descriptors(const struct ib_media_writer *w, uint64_t total, struct ib_error **err) IB_MUST_CHECK;

/* Fill the 257 sectors in front of the partition. */
bool ib_media_fill_head(const struct ib_media_writer *w, uint64_t total, uint8_t *head, struct ib_error **err)
	IB_MUST_CHECK;
/* ISO 9660's part of it: descriptors, boot record, recognition sequence, catalogue, README.TXT. */
void ib_media_fill_iso9660(const struct ib_media_writer *w, uint64_t total, uint8_t *head);
/* An anchor for a sector. */
void ib_media_fill_anchor(uint8_t *p, uint32_t lsn);
/* The implementation identifier that goes into every descriptor. */
void ib_media_fill_implementation(uint8_t *p);
/* The character set field (64 bytes) and the domain identifier (32 bytes). */
void ib_media_fill_charset(uint8_t *p);
void ib_media_fill_domain(uint8_t *p);

#endif
