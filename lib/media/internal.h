/* media, private: what the readers, the writer and the verifier share. */
#ifndef IB_MEDIA_INTERNAL_H
#define IB_MEDIA_INTERNAL_H

#include "media/media.h"

/* Anchor of the volume descriptors, and where the writer's partition begins right behind it. */
#define ANCHOR_LSN 256u
/* First sector that may hold a volume descriptor (ECMA-167 2/8.3, ECMA-119 6.7.1). */
#define VOLUME_LSN 16u
/* Sectors of volume descriptors and recognition descriptors looked at; real discs have fewer than ten. */
#define VOLUME_MAX 64u

/* ECMA-167 descriptor tag identifiers. */
enum tag_id {
	TAG_PVD = 1,   /* primary volume */
	TAG_AVDP = 2,  /* anchor */
	TAG_IUVD = 4,  /* implementation use volume */
	TAG_PD = 5,    /* partition */
	TAG_LVD = 6,   /* logical volume */
	TAG_USD = 7,   /* unallocated space */
	TAG_TD = 8,    /* terminating */
	TAG_LVID = 9,  /* logical volume integrity */
	TAG_FSD = 256, /* file set */
	TAG_FID = 257, /* file identifier */
	TAG_AED = 258, /* allocation extent */
	TAG_FE = 261,  /* file entry */
	TAG_EFE = 266, /* extended file entry */
};

/* An extent's upper two bits say whether it was recorded; an extent holds at most the rest. */
#define AD_LENGTH_MASK 0x3FFFFFFFu
/* The longest extent that keeps the next one on a sector. */
#define AD_CHUNK 0x3FFFF800u

struct ib_media {
	struct ib_input *in;
	enum ib_media_kind kind;
	char *label;
	GArray *entries;     /* struct ib_media_entry, its path and extents owned */
	GHashTable *by_name; /* folded path -> index + 1 */
	GArray *boots;       /* struct ib_media_boot */
	uint64_t name_bytes;
	uint64_t extent_total;
};

/* Read one sector. */
bool ib_media_sector(struct ib_input *in, uint64_t lsn, uint8_t *buf, struct ib_error **err) IB_MUST_CHECK;

/* Join a name from the disc to its folder's path; refuses what is no name. ret: g_free. */
bool ib_media_join(const struct ib_media *m, const char *folder, const char *name, char **ret,
		   struct ib_error **err) IB_MUST_CHECK;

/* Add an entry; path and extents are copied. Refuses duplicates and what goes beyond the limits. */
bool ib_media_add(struct ib_media *m, const struct ib_media_entry *entry, struct ib_error **err) IB_MUST_CHECK;

/* A folder still to be read; place is the reader's own. */
struct ib_media_pending {
	char *path;
	uint64_t place;
	uint64_t size;
	unsigned depth;
};
/* Queue a folder; path is taken. Refuses one that is too deep. */
bool ib_media_push(const struct ib_media *m, GArray *queue, struct ib_media_pending pending,
		   struct ib_error **err) IB_MUST_CHECK;
/* A queue that frees the paths in it. */
GArray *ib_media_queue(void);

/* Whether the volume recognition sequence names UDF, and where ISO 9660's descriptors lie (0 = none). */
struct ib_media_volumes {
	bool udf;
	uint32_t primary;
	uint32_t joliet;
	uint32_t boot;
};
bool ib_media_recognise(struct ib_input *in, struct ib_media_volumes *ret, struct ib_error **err) IB_MUST_CHECK;

/* Fill a media from an ISO 9660 volume. */
bool ib_media_read_iso9660(struct ib_media *m, const struct ib_media_volumes *volumes, struct ib_error **err)
	IB_MUST_CHECK;
/* Read the boot catalogue and match it with the entries, which must be final. */
bool ib_media_read_eltorito(struct ib_media *m, uint32_t boot_lsn, struct ib_error **err) IB_MUST_CHECK;
/* Whether a sector is a sound boot catalogue, else why not (static text). */
const char *ib_media_catalogue_fault(const uint8_t *sector);

/* ---- UDF ---- */

/* One file entry as found, for the verifier. */
struct ib_media_node {
	char *path;          /* "" for the root */
	uint32_t lbn;        /* of the file entry */
	bool is_dir;
	bool embedded;       /* data lies inside the file entry */
	uint64_t size;       /* information length */
	uint64_t described;  /* sum of the allocation descriptors */
	uint64_t blocks;     /* logical blocks recorded, as the entry says */
	uint16_t links;
	uint64_t unique_id;
	GArray *extents;     /* struct ib_extent, bytes in the image */
};

/* What the volume descriptors say. */
struct ib_media_udf_volume {
	uint64_t anchor;       /* LSN of the anchor that was used */
	uint32_t main_lsn, main_bytes;
	uint32_t reserve_lsn, reserve_bytes;
	uint32_t part_start;   /* LSN */
	uint32_t part_blocks;
	uint16_t part_number;
	uint32_t integrity_lsn, integrity_bytes;
	uint32_t fileset_lbn, fileset_bytes;
	uint32_t root_lbn;
	uint16_t revision;
	char *label;           /* owned */
};

/* Read anchor, main volume descriptors and file set. label: g_free. */
bool ib_media_udf_volume(struct ib_input *in, struct ib_media_udf_volume *ret, struct ib_error **err) IB_MUST_CHECK;
/* Read the tree; nodes may be NULL, else it receives every file entry and the places of tags are checked too. */
bool ib_media_read_udf(struct ib_media *m, const struct ib_media_udf_volume *volume, GArray *nodes,
		       struct ib_error **err) IB_MUST_CHECK;
/* An empty list of nodes that frees what is in it. */
GArray *ib_media_nodes(void);
/* A media without entries over an input. */
struct ib_media *ib_media_new_empty(struct ib_input *in);
/* Bring the entries in order once all are there. */
void ib_media_sort(struct ib_media *m);

/* ---- tags, text, time ---- */

/* Where a descriptor was found, for messages and for the tag's own word about it. */
struct ib_media_place {
	const char *name;  /* image */
	uint64_t lsn;      /* sector */
	uint32_t location; /* what the tag must say */
	bool anywhere;     /* do not compare the location */
};
/* Check identifier, version, checksum, CRC and location of a tag; size bytes are there. */
bool ib_media_tag_check(const uint8_t *p, size_t size, enum tag_id id, const struct ib_media_place *place,
			struct ib_error **err) IB_MUST_CHECK;
/* Fill in the tag of a descriptor: CRC over crc_len bytes behind the tag, then the checksum. */
void ib_media_tag_write(uint8_t *p, enum tag_id id, size_t crc_len, uint32_t location);
/* CRC of ECMA-167 1/7.2.6: polynomial 0x1021, start 0. */
uint16_t ib_media_crc(const uint8_t *p, size_t len);
/* What a tag identifier is called; static text. */
const char *ib_media_tag_name(unsigned id);

/* OSTA compressed Unicode to text, NULL when it is not sound; g_free. */
char *ib_media_cs0_decode(const uint8_t *p, size_t len);
/* Text to OSTA compressed Unicode in at most cap bytes. @return bytes used, 0 when it does not fit or is no text */
size_t ib_media_cs0_encode(const char *text, uint8_t *buf, size_t cap);
/* A dstring field of n bytes: decode (NULL when not sound; g_free) and encode (false when it does not fit). */
char *ib_media_dstring_decode(const uint8_t *p, size_t n);
bool ib_media_dstring_encode(const char *text, uint8_t *p, size_t n) IB_MUST_CHECK;

/* A UDF time stamp (12 bytes) to seconds, 0 when it is none; and back. */
int64_t ib_media_time_decode(const uint8_t *p);
void ib_media_time_encode(int64_t seconds, uint8_t *p);

#endif
