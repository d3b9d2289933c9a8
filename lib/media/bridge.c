/* The ISO 9660 side of our discs (ECMA-119) and the boot catalogue (El Torito 1.0). */
#include "media/writer_internal.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define PATH_TABLE_L_LSN 23u
#define PATH_TABLE_M_LSN 24u
#define ROOT_LSN 25u
#define README_LSN 26u
#define PATH_TABLE_BYTES 10u

/* Nothing reads it but people whose system knows no UDF. */
static const char readme[] = "The files of this disc are in its UDF file system (ISO/IEC 13346).\r\n"
			     "Please open it with a system that reads UDF.\r\n";

static void put_both16(uint8_t *p, uint16_t v)
{
	ib_put_le16(p, v);
	p[2] = (uint8_t)(v >> 8);
	p[3] = (uint8_t)v;
}

static void put_both32(uint8_t *p, uint32_t v)
{
	ib_put_le32(p, v);
	ib_put_be32(p + 4, v);
}

static uint8_t *sector(uint8_t *head, uint32_t lsn)
{
	return head + (size_t)lsn * IB_MEDIA_SECTOR;
}

static void fill_identifier(uint8_t *p, uint8_t type, const char *id)
{
	p[0] = type;
	memcpy(p + 1, id, 5);
	p[6] = 1;
}

/* A directory record; returns its length. */
static uint8_t fill_record(const struct ib_media_writer *w, uint8_t *p, uint32_t lsn, uint32_t bytes, const char *name)
{
	/* "" = the folder itself, NULL = its parent: one byte each, 0 and 1 */
	uint8_t name_len = name && *name ? (uint8_t)strlen(name) : 1;
	time_t t = (time_t)w->epoch;
	struct tm tm;

	gmtime_r(&t, &tm);
	p[0] = (uint8_t)((33 + name_len + 1) & ~1);
	put_both32(p + 2, lsn);
	put_both32(p + 10, bytes);
	p[18] = (uint8_t)tm.tm_year;
	p[19] = (uint8_t)(tm.tm_mon + 1);
	p[20] = (uint8_t)tm.tm_mday;
	p[21] = (uint8_t)tm.tm_hour;
	p[22] = (uint8_t)tm.tm_min;
	p[23] = (uint8_t)tm.tm_sec;
	p[25] = name && *name ? 0 : 2;
	put_both16(p + 28, 1);
	p[32] = name_len;
	if (name && *name)
		memcpy(p + 33, name, name_len);
	else
		p[33] = name ? 0 : 1;
	return p[0];
}

static void fill_date(uint8_t *p, int64_t seconds)
{
	time_t t = (time_t)seconds;
	char text[32];
	struct tm tm;

	gmtime_r(&t, &tm);
	snprintf(text, sizeof text, "%04u%02u%02u%02u%02u%02u00", (unsigned)(tm.tm_year + 1900) % 10000u,
		 (unsigned)(tm.tm_mon + 1) % 100u, (unsigned)tm.tm_mday % 100u, (unsigned)tm.tm_hour % 100u,
		 (unsigned)tm.tm_min % 100u, (unsigned)tm.tm_sec % 100u);
	memcpy(p, text, 16);
	p[16] = 0; /* UTC */
}

static void fill_primary(const struct ib_media_writer *w, uint64_t total, uint8_t *p)
{
	fill_identifier(p, 1, "CD001");
	memset(p + 8, ' ', 64);
	memcpy(p + 40, w->label, strlen(w->label));
	put_both32(p + 80, (uint32_t)total);
	put_both16(p + 120, 1);
	put_both16(p + 124, 1);
	put_both16(p + 128, IB_MEDIA_SECTOR);
	put_both32(p + 132, PATH_TABLE_BYTES);
	ib_put_le32(p + 140, PATH_TABLE_L_LSN);
	ib_put_be32(p + 148, PATH_TABLE_M_LSN);
	fill_record(w, p + 156, ROOT_LSN, IB_MEDIA_SECTOR, "");
	memset(p + 190, ' ', 813 - 190);
	fill_date(p + 813, w->epoch);
	fill_date(p + 830, w->epoch);
	memset(p + 847, '0', 16);
	memset(p + 864, '0', 16);
	p[881] = 1;
}

static void fill_root(const struct ib_media_writer *w, uint8_t *head)
{
	uint8_t *p = sector(head, ROOT_LSN);

	p += fill_record(w, p, ROOT_LSN, IB_MEDIA_SECTOR, "");
	p += fill_record(w, p, ROOT_LSN, IB_MEDIA_SECTOR, NULL);
	fill_record(w, p, README_LSN, sizeof readme - 1, "README.TXT");
	memcpy(sector(head, README_LSN), readme, sizeof readme - 1);
	/* the path tables hold the root only: name length 1, its sector, parent 1 */
	p = sector(head, PATH_TABLE_L_LSN);
	p[0] = 1;
	ib_put_le32(p + 2, ROOT_LSN);
	ib_put_le16(p + 6, 1);
	p = sector(head, PATH_TABLE_M_LSN);
	p[0] = 1;
	ib_put_be32(p + 2, ROOT_LSN);
	p[7] = 1;
}

static void fill_boot_entry(uint8_t *p, uint32_t sectors, const struct node *image)
{
	p[0] = 0x88;
	ib_put_le16(p + 6, (uint16_t)sectors);
	ib_put_le32(p + 8, PARTITION_LSN + image->data_lbn);
}

static void fill_catalogue(const struct ib_media_writer *w, uint8_t *p)
{
	const struct node *bios = w->boot[0], *efi = w->boot[1];
	unsigned sum = 0;

	p[0] = 1;
	p[1] = bios ? IB_MEDIA_BIOS : IB_MEDIA_EFI;
	p[30] = 0x55;
	p[31] = 0xAA;
	for (unsigned i = 0; i < 32; i += 2)
		sum += ib_le16(p + i);
	ib_put_le16(p + 28, (uint16_t)(0x10000u - (sum & 0xFFFF)));
	if (!bios) {
		fill_boot_entry(p + 32, 1, efi);
		return;
	}
	/* BIOS: all of the image in units of 512 bytes (etfsboot.com: 8) */
	fill_boot_entry(p + 32, (uint32_t)((bios->size + 511) / 512), bios);
	if (!efi)
		return;
	p[64] = 0x91; /* the last section, with one entry */
	p[65] = IB_MEDIA_EFI;
	ib_put_le16(p + 66, 1);
	/* EFI: 1 stands for "as large as the FAT volume says" */
	fill_boot_entry(p + 96, 1, efi);
}

void ib_media_fill_iso9660(const struct ib_media_writer *w, uint64_t total, uint8_t *head)
{
	bool boots = w->boot[0] || w->boot[1];
	uint32_t lsn = VOLUME_LSN;
	uint8_t *p = sector(head, lsn++);

	fill_primary(w, total, p);
	if (boots) {
		p = sector(head, lsn++);
		fill_identifier(p, 0, "CD001");
		memcpy(p + 7, "EL TORITO SPECIFICATION", 23);
		ib_put_le32(p + 71, CATALOGUE_LSN);
		fill_catalogue(w, sector(head, CATALOGUE_LSN));
	}
	fill_identifier(sector(head, lsn++), 255, "CD001");
	/* right behind it: a gap would end recognition */
	fill_identifier(sector(head, lsn++), 0, "BEA01");
	fill_identifier(sector(head, lsn++), 0, "NSR02");
	fill_identifier(sector(head, lsn++), 0, "TEA01");
	fill_root(w, head);
}
