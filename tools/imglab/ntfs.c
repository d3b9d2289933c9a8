/*
 * A tree as an NTFS volume in a file. Three walks: names and content, then 8.3
 * names, then times, because each step touches the times of what came before.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <ntfs-3g/compat.h>
#include <ntfs-3g/types.h>
#include <ntfs-3g/attrib.h>
#include <ntfs-3g/dir.h>
#include <ntfs-3g/inode.h>
#include <ntfs-3g/layout.h>
#include <ntfs-3g/reparse.h>
#include <ntfs-3g/security.h>
#include <ntfs-3g/volume.h>

#include "base/bytes.h"
#include "base/file.h"

#include "sddl.h"
#include "tree_internal.h"

/* Room for the volume's own files, its log and slack. */
#define VOLUME_OVERHEAD ((uint64_t)32 << 20)
/* A file record and its index entries, rounded up. */
#define INODE_OVERHEAD 3072u
#define CLUSTER 4096u
/* Seconds from 1601 to 1970. */
#define FILETIME_EPOCH 11644473600LL

struct volume {
	ntfs_volume *ntfs;
	GHashTable *descriptors; /* SDDL text -> GBytes */
	uint64_t filetime;
};

static bool fail(struct ib_error **err, const char *what, const char *name)
{
	return ib_throw_errno(err, IB_ERR_SYSTEM, errno, "cannot %s '%s' in the NTFS volume", what, name);
}

static GBytes *descriptor(struct volume *v, const char *sddl)
{
	GBytes *bytes = g_hash_table_lookup(v->descriptors, sddl);

	if (!bytes) {
		bytes = lab_sddl_bytes(sddl);
		g_assert(bytes); /* all texts are the lab's own */
		g_hash_table_insert(v->descriptors, (gpointer)sddl, bytes);
	}
	return bytes;
}

static bool write_data(ntfs_inode *ni, const struct lab_node *node, struct ib_error **err)
{
	size_t len, at = 0;
	const char *data = g_bytes_get_data(node->inode->bytes, &len);
	ntfs_attr *na;

	if (len == 0)
		return true;
	na = ntfs_attr_open(ni, AT_DATA, AT_UNNAMED, 0);
	if (!na)
		return fail(err, "open the data of", node->name);
	while (at < len) {
		s64 n = ntfs_attr_pwrite(na, (s64)at, (s64)MIN(len - at, (size_t)4 << 20), data + at);

		if (n <= 0) {
			ntfs_attr_close(na);
			return fail(err, "write", node->name);
		}
		at += (size_t)n;
	}
	ntfs_attr_close(na);
	return true;
}

static bool write_stream(ntfs_inode *ni, const struct lab_node *node, struct ib_error **err)
{
	const struct lab_inode *i = node->inode;
	glong units;
	g_autofree gunichar2 *name = g_utf8_to_utf16(i->stream_name, -1, NULL, &units, NULL);
	size_t len;
	const void *data = g_bytes_get_data(i->stream, &len);

	if (ntfs_attr_add(ni, AT_DATA, (ntfschar *)name, (u8)units, data, (s64)len))
		return fail(err, "add a stream to", node->name);
	return true;
}

/* Attributes, descriptor, streams, reparse data and content of a new inode. */
static bool fill_inode(struct volume *v, ntfs_inode *ni, const struct lab_node *node, struct ib_error **err)
{
	struct SECURITY_CONTEXT context = { .vol = v->ntfs };
	const struct lab_inode *i = node->inode;
	GBytes *sd = descriptor(v, i->sddl);
	uint8_t attributes[4];
	size_t len;
	const char *data = g_bytes_get_data(sd, &len);

	if (ntfs_set_ntfs_acl(&context, ni, data, len, 0))
		return fail(err, "set the descriptor of", node->name);
	ib_put_le32(attributes, i->attributes ? i->attributes : 0x80);
	if (ntfs_set_ntfs_attrib(ni, (const char *)attributes, 4, 0))
		return fail(err, "set the attributes of", node->name);
	if (i->bytes && !write_data(ni, node, err))
		return false;
	if (i->stream_name && !write_stream(ni, node, err))
		return false;
	if (i->reparse) {
		data = g_bytes_get_data(i->reparse, &len);
		if (ntfs_set_ntfs_reparse_data(ni, data, len, 0))
			return fail(err, "set the reparse data of", node->name);
	}
	return true;
}

static gint compare_nodes(gconstpointer x, gconstpointer y)
{
	const struct lab_node *const *a = x, *const *b = y;

	return strcmp((*a)->name, (*b)->name);
}

/* One name in an open folder: a new inode, or one more link to one that is there. */
static bool write_node(struct volume *v, ntfs_inode *dir, const struct lab_node *node, struct ib_error **err)
{
	glong units;
	g_autofree gunichar2 *name = g_utf8_to_utf16(node->name, -1, NULL, &units, NULL);
	struct lab_inode *i = node->inode;
	ntfs_inode *ni;
	bool ok;

	if (i->mref) {
		ni = ntfs_inode_open(v->ntfs, i->mref);
		ok = (ni && !ntfs_link(ni, dir, (ntfschar *)name, (u8)units)) || fail(err, "link", node->name);
	} else {
		ni = ntfs_create(dir, const_cpu_to_le32(0), (ntfschar *)name, (u8)units, node->children ? S_IFDIR : S_IFREG);
		if (!ni)
			return fail(err, "create", node->name);
		i->mref = MK_MREF(ni->mft_no, le16_to_cpu(ni->mrec->sequence_number));
		ok = fill_inode(v, ni, node, err);
	}
	if (ni && ntfs_inode_close_in_dir(ni, dir) && ok)
		return fail(err, "close", node->name);
	return ok;
}

/*
 * All names of a folder, then its folders. The library copes with one open
 * folder only: closing an inode updates its entries in every folder it is in.
 */
static bool write_children(struct volume *v, const struct lab_node *node, struct ib_error **err)
{
	ntfs_inode *dir = ntfs_inode_open(v->ntfs, node->inode->mref);
	bool ok = true;

	if (!dir)
		return fail(err, "open", node->name);
	g_ptr_array_sort(node->children, compare_nodes);
	for (guint i = 0; i < node->children->len && ok; i++)
		ok = write_node(v, dir, node->children->pdata[i], err);
	if (ntfs_inode_close(dir) && ok)
		return fail(err, "close", node->name);
	for (guint i = 0; i < node->children->len && ok; i++) {
		const struct lab_node *child = node->children->pdata[i];

		ok = !child->children || write_children(v, child, err);
	}
	return ok;
}

/* 8.3 names: the library closes both inodes whatever happens. */
static bool write_short_names(struct volume *v, const struct lab_node *dir, struct ib_error **err)
{
	for (guint i = 0; i < dir->children->len; i++) {
		const struct lab_node *node = dir->children->pdata[i];

		if (node->short_name) {
			ntfs_inode *parent = ntfs_inode_open(v->ntfs, dir->inode->mref);
			ntfs_inode *ni = ntfs_inode_open(v->ntfs, node->inode->mref);

			if (!parent || !ni)
				return fail(err, "open", node->name);
			if (ntfs_set_ntfs_dos_name(ni, parent, node->short_name, strlen(node->short_name), 0))
				return fail(err, "set the 8.3 name of", node->name);
		}
		if (node->children && !write_short_names(v, node, err))
			return false;
	}
	return true;
}

static bool write_times(struct volume *v, const struct lab_node *node, struct ib_error **err)
{
	ntfs_inode *ni = ntfs_inode_open(v->ntfs, node->inode->mref);
	uint8_t times[24];

	for (size_t i = 0; i < 3; i++)
		ib_put_le64(times + 8 * i, v->filetime);
	if (!ni)
		return fail(err, "open", node->name);
	bool ok = !ntfs_inode_set_times(ni, (const char *)times, sizeof(times), 0);

	if (ntfs_inode_close(ni) || !ok)
		return fail(err, "set the times of", node->name);
	for (guint i = 0; node->children && i < node->children->len; i++)
		if (!write_times(v, node->children->pdata[i], err))
			return false;
	return true;
}

static bool write_all(struct volume *v, struct lab_tree *t, struct ib_error **err)
{
	ntfs_inode *root = ntfs_inode_open(v->ntfs, FILE_root);
	bool ok;

	if (!root)
		return fail(err, "open", "\\");
	t->root->inode->mref = FILE_root;
	ok = fill_inode(v, root, t->root, err);
	if (ntfs_inode_close(root) && ok)
		return fail(err, "close", "\\");
	return ok && write_children(v, t->root, err) && write_short_names(v, t->root, err) && write_times(v, t->root, err);
}

static uint64_t volume_size(const struct lab_tree *t)
{
	uint64_t size = VOLUME_OVERHEAD;
	GHashTableIter iter;
	gpointer value;

	g_hash_table_iter_init(&iter, t->nodes);
	while (g_hash_table_iter_next(&iter, NULL, &value)) {
		const struct lab_inode *i = ((const struct lab_node *)value)->inode;

		size += INODE_OVERHEAD;
		if (i->bytes)
			size += (g_bytes_get_size(i->bytes) + CLUSTER - 1) / CLUSTER * CLUSTER;
	}
	return (size + (1 << 20)) >> 20 << 20;
}

static bool make_volume(const char *path, uint64_t size, struct ib_error **err)
{
	const char *const argv[] = { "/sbin/mkntfs", "--quick", "--force", "--quiet", "--sector-size", "512", "--cluster-size",
				     "4096", "--partition-start", "0", "--heads", "255", "--sectors-per-track", "63",
				     "--no-indexing", path, NULL };
	g_autoptr(GError) problem = NULL;
	g_autofree char *said = NULL;
	ib_auto_fd fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	int status = 0;

	if (fd < 0 || ftruncate(fd, (off_t)size) < 0)
		return ib_throw_errno(err, IB_ERR_SYSTEM, errno, "cannot create volume '%s'", path);
	if (!g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_STDOUT_TO_DEV_NULL, NULL, NULL, NULL, &said, &status, &problem)) {
		ib_throw(err, IB_ERR_SYSTEM, "cannot run mkntfs: %s", problem->message);
		return ib_hint(err, "install the package ntfs-3g");
	}
	if (status != 0)
		return ib_throw(err, IB_ERR_SYSTEM, "mkntfs failed: %s", g_strstrip(said));
	return true;
}

bool lab_tree_write(struct lab_tree *t, const char *volume, int64_t epoch, struct ib_error **err)
{
	g_autoptr(GHashTable) descriptors =
		g_hash_table_new_full(g_str_hash, g_str_equal, NULL, (GDestroyNotify)g_bytes_unref);
	struct volume v = { .descriptors = descriptors, .filetime = (uint64_t)(epoch + FILETIME_EPOCH) * 10000000u };
	bool ok;

	if (!make_volume(volume, volume_size(t), err))
		return false;
	v.ntfs = ntfs_mount(volume, 0);
	if (!v.ntfs)
		return ib_throw_errno(err, IB_ERR_SYSTEM, errno, "cannot open NTFS volume '%s'", volume);
	ok = write_all(&v, t, err);
	if (ntfs_umount(v.ntfs, FALSE) && ok)
		return ib_throw_errno(err, IB_ERR_SYSTEM, errno, "cannot close NTFS volume '%s'", volume);
	return ok;
}
