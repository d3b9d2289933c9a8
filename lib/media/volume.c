/* UDF's volume descriptors: from the anchor to the root folder. */
#include "media/internal.h"

#include <string.h>

/* Sectors of a volume descriptor sequence; at least 16 by the standard. */
#define SEQUENCE_MAX 256u

static bool read_anchor(struct ib_input *in, uint64_t lsn, struct ib_media_udf_volume *v, struct ib_error **err)
{
	uint8_t sector[IB_MEDIA_SECTOR];
	struct ib_media_place place = { .name = ib_input_name(in), .lsn = lsn, .location = (uint32_t)lsn };

	if (!ib_media_sector(in, lsn, sector, err) || !ib_media_tag_check(sector, 512, TAG_AVDP, &place, err))
		return false;
	v->anchor = lsn;
	v->main_bytes = ib_le32(sector + 16);
	v->main_lsn = ib_le32(sector + 20);
	v->reserve_bytes = ib_le32(sector + 24);
	v->reserve_lsn = ib_le32(sector + 28);
	return true;
}

/* Sector 256; without one, as on discs in several sessions, the last sector or the one 256 before it. */
static bool find_anchor(struct ib_input *in, struct ib_media_udf_volume *v, struct ib_error **err)
{
	uint64_t sectors = ib_input_size(in) / IB_MEDIA_SECTOR;
	uint8_t sector[IB_MEDIA_SECTOR];

	if (!ib_media_sector(in, ANCHOR_LSN, sector, err))
		return false;
	if (ib_le16(sector) == TAG_AVDP || sectors <= 2 * ANCHOR_LSN)
		return read_anchor(in, ANCHOR_LSN, v, err);
	if (!ib_media_sector(in, sectors - 1, sector, err))
		return false;
	return read_anchor(in, ib_le16(sector) == TAG_AVDP ? sectors - 1 : sectors - 1 - ANCHOR_LSN, v, err);
}

static bool throw_volume(struct ib_input *in, uint64_t lsn, const char *why, struct ib_error **err)
{
	return ib_throw(err, IB_ERR_INPUT, "'%s' sector %" PRIu64 ": %s", ib_input_name(in), lsn, why);
}

static bool parse_partition(struct ib_input *in, uint64_t lsn, const uint8_t *p, struct ib_media_udf_volume *v,
			    struct ib_error **err)
{
	v->part_number = ib_le16(p + 22);
	v->part_start = ib_le32(p + 188);
	v->part_blocks = ib_le32(p + 192);
	uint64_t sectors = ib_input_size(in) / IB_MEDIA_SECTOR;
	if (v->part_blocks == 0 || v->part_start >= sectors)
		return ib_throw(err, IB_ERR_INPUT, "'%s' sector %" PRIu64 ": the partition begins at sector %u, the image has %" PRIu64,
				ib_input_name(in), lsn, v->part_start, sectors);
	return true;
}

static bool parse_logical(struct ib_input *in, uint64_t lsn, const uint8_t *p, struct ib_media_udf_volume *v,
			  struct ib_error **err)
{
	if (ib_le32(p + 212) != IB_MEDIA_SECTOR)
		return ib_throw(err, IB_ERR_INPUT, "'%s' sector %" PRIu64 ": the volume has blocks of %u bytes, %u are supported",
				ib_input_name(in), lsn, ib_le32(p + 212), IB_MEDIA_SECTOR);
	v->revision = ib_le16(p + 240); /* suffix of the domain identifier */
	if (memcmp(p + 217, "*OSTA UDF Compliant", 19) != 0 || v->revision < 0x0102 || v->revision > 0x0260)
		return ib_throw(err, IB_ERR_INPUT, "'%s' sector %" PRIu64 ": UDF revision %x is not in 102 to 260", ib_input_name(in),
				lsn, v->revision);
	if (ib_le32(p + 268) != 1 || p[440] != 1 || p[441] != 6)
		return throw_volume(in, lsn, "the volume is not one plain partition (type 1), which is all that is supported", err);
	v->fileset_bytes = ib_le32(p + 248) & AD_LENGTH_MASK;
	v->fileset_lbn = ib_le32(p + 252);
	v->integrity_bytes = ib_le32(p + 432);
	v->integrity_lsn = ib_le32(p + 436);
	g_free(v->label);
	v->label = ib_media_dstring_decode(p + 84, 128);
	if (!v->label)
		return throw_volume(in, lsn, "the volume label is no text", err);
	return true;
}

/* The descriptor that counts is the one with the highest sequence number. */
struct newest {
	bool seen;
	uint32_t number;
};

static bool newer(struct newest *n, const uint8_t *p)
{
	uint32_t number = ib_le32(p + 16);
	bool yes = !n->seen || number >= n->number;

	if (yes)
		*n = (struct newest){ true, number };
	return yes;
}

static bool read_sequence(struct ib_input *in, struct ib_media_udf_volume *v, struct ib_error **err)
{
	uint8_t sector[IB_MEDIA_SECTOR];
	struct newest partition = { 0 }, logical = { 0 };
	uint32_t count = MIN(v->main_bytes / IB_MEDIA_SECTOR, SEQUENCE_MAX);

	for (uint32_t i = 0; i < count; i++) {
		uint64_t lsn = (uint64_t)v->main_lsn + i;
		struct ib_media_place place = { .name = ib_input_name(in), .lsn = lsn, .location = (uint32_t)lsn };
		if (!ib_media_sector(in, lsn, sector, err))
			return false;
		unsigned id = ib_le16(sector);
		if (id == 0 && sector[4] == 0) /* an empty sector ends the sequence, too */
			break;
		if (!ib_media_tag_check(sector, sizeof sector, id, &place, err))
			return ib_while(err, "reading the volume descriptors");
		if (id == TAG_TD)
			break;
		if (id == TAG_PD && newer(&partition, sector) && !parse_partition(in, lsn, sector, v, err))
			return false;
		if (id == TAG_LVD && newer(&logical, sector) && !parse_logical(in, lsn, sector, v, err))
			return false;
	}
	if (!partition.seen || !logical.seen)
		return throw_volume(in, v->main_lsn, "the volume descriptors lack a partition or a logical volume", err);
	return true;
}

static bool read_fileset(struct ib_input *in, struct ib_media_udf_volume *v, struct ib_error **err)
{
	uint8_t sector[IB_MEDIA_SECTOR];
	uint64_t lsn = (uint64_t)v->part_start + v->fileset_lbn;
	struct ib_media_place place = { .name = ib_input_name(in), .lsn = lsn, .location = v->fileset_lbn };

	if (v->fileset_lbn >= v->part_blocks)
		return ib_throw(err, IB_ERR_INPUT, "'%s': the file set lies at block %u, the partition has %u", ib_input_name(in),
				v->fileset_lbn, v->part_blocks);
	if (!ib_media_sector(in, lsn, sector, err) || !ib_media_tag_check(sector, 512, TAG_FSD, &place, err))
		return ib_while(err, "reading the file set");
	v->root_lbn = ib_le32(sector + 404);
	return true;
}

bool ib_media_udf_volume(struct ib_input *in, struct ib_media_udf_volume *ret, struct ib_error **err)
{
	struct ib_media_udf_volume v = { 0 };

	if (!find_anchor(in, &v, err) || !read_sequence(in, &v, err) || !read_fileset(in, &v, err)) {
		g_free(v.label);
		return false;
	}
	*ret = v;
	return true;
}
