/*
 * Supersedence is a total order inside a stream: every image supersedes all lower ones. Clients look
 * at direct relations of what is offered together, so a chain would leave gaps.
 */
#include "metadata/internal.h"

#include <string.h>

/* The fourth number is week * 10 + build: standard sorts below custom of the same week. */
int image_compare(const struct image *a, const struct image *b)
{
	struct version x = a->version, y = b->version;

	x.part[3] /= 10;
	y.part[3] /= 10;
	int order = version_compare(&x, &y);
	if (order == 0)
		order = (a->customer != NULL) - (b->customer != NULL);
	return order ? order : version_compare(&a->version, &b->version);
}

bool image_concerns(const struct image *higher, const struct image *lower)
{
	return !higher->customer || !lower->customer || strcmp(higher->customer, lower->customer) == 0;
}

static bool same_stream(const struct image *a, const struct image *b)
{
	return strcmp(a->vendor, b->vendor) == 0 && strcmp(a->edition, b->edition) == 0 && a->arch == b->arch;
}

static int by_order(gconstpointer a, gconstpointer b)
{
	const struct update *const *x = a, *const *y = b;
	int order = image_compare((*x)->child->image, (*y)->child->image);

	return order ? order : strcmp((*x)->id, (*y)->id);
}

GPtrArray *stream_images(const struct catalog *c, const struct image *like)
{
	GPtrArray *list = g_ptr_array_new();

	for (guint i = 0; i < c->updates->len; i++) {
		struct update *u = g_ptr_array_index(c->updates, i);
		if (u->child && same_stream(u->child->image, like))
			g_ptr_array_add(list, u);
	}
	g_ptr_array_sort(list, by_order);
	return list;
}

static bool check_against(const struct update *u, const struct author *a, const struct image *self,
			  struct ib_error **err)
{
	const struct image *other = u->child->image;
	g_autofree char *have = version_text(&other->version);

	if (strcmp(other->stream, self->stream) == 0 && version_compare(&self->version, &other->version) <= 0) {
		ib_throw(err, IB_ERR_INPUT, "version %s is not above %s, which stream '%s' has already ('%s')",
			 a->image->version, have, self->stream, u->title);
		return ib_hint(err, "raise [profile] version, or take a catalog that does not hold this image yet");
	}
	if (image_concerns(self, other) && image_compare(self, other) == 0)
		return ib_throw(err, IB_ERR_INPUT, "'%s' (stream '%s') has the same version %s for the same customer",
				u->title, other->stream, have);
	return true;
}

bool stream_check(const struct catalog *c, const struct author *a, struct ib_error **err)
{
	struct image self = {
		.vendor = (char *)a->image->vendor, .customer = (char *)a->image->customer,
		.stream = (char *)a->image->stream, .edition = (char *)a->image->edition,
		.version = a->version, .arch = arch_number(a->image->arch),
	};
	g_autoptr(GPtrArray) images = stream_images(c, &self);

	if (images->len + 1 > IMAGES_MAX) {
		ib_throw(err, IB_ERR_INPUT, "the stream has %u images, at most %u are handled", images->len + 1, IMAGES_MAX);
		return ib_hint(err, "take old images, parent and child, out of the catalog");
	}
	for (guint i = 0; i < images->len; i++)
		if (!check_against(g_ptr_array_index(images, i), a, &self, err))
			return false;
	/* not as an image of this stream, then: a document somebody changed */
	if (catalog_find(c, a->parent_id) || catalog_find(c, a->child_id))
		return ib_throw(err, IB_ERR_INPUT, "the catalog holds an update with the id of this image already");
	return true;
}

static bool same_ids(const GArray *have, const GPtrArray *want)
{
	if (have->len != want->len)
		return false;
	for (guint i = 0; i < want->len; i++)
		if (!references_have(have, g_ptr_array_index(want, i)))
			return false;
	return true;
}

/* Superseded updates that are no images of this stream stay: somebody wrote them for a reason. */
static GPtrArray *wanted_ids(const GPtrArray *images, guint self)
{
	const struct update *u = g_ptr_array_index(images, self);
	GPtrArray *ids = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(GHashTable) stream = g_hash_table_new(g_str_hash, g_str_equal);

	for (guint i = 0; i < images->len; i++) {
		const struct update *other = g_ptr_array_index(images, i);
		g_hash_table_add(stream, other->id);
		if (i < self && image_concerns(u->child->image, other->child->image))
			g_ptr_array_add(ids, g_strdup(other->id));
	}
	for (guint i = 0; i < u->superseded->len; i++)
		if (!g_hash_table_contains(stream, reference_at(u->superseded, i)->id))
			g_ptr_array_add(ids, g_strdup(reference_at(u->superseded, i)->id));
	return ids;
}

bool stream_relate(struct catalog *c, const struct image *like, struct ib_error **err)
{
	g_autoptr(GPtrArray) images = stream_images(c, like);

	for (guint i = 0; i < images->len; i++) {
		struct update *u = g_ptr_array_index(images, i);
		g_autoptr(GPtrArray) ids = wanted_ids(images, i);
		if (same_ids(u->superseded, ids))
			continue;
		if (!author_supersede(&u, ids, err))
			return false;
		/* the id stays, and with it the place in the list */
		catalog_put(c, u);
		images->pdata[i] = u;
		if (!catalog_link(c, err))
			return false;
	}
	return true;
}

/* Take away, round by round, what supersedes nothing that is left; what cannot go is on a cycle. */
bool stream_acyclic(const struct catalog *c, enum ib_code code, struct ib_error **err)
{
	g_autoptr(GHashTable) left = g_hash_table_new(g_str_hash, g_str_equal);
	g_autoptr(GPtrArray) list = g_ptr_array_new();

	for (guint i = 0; i < c->updates->len; i++) {
		struct update *u = g_ptr_array_index(c->updates, i);
		if (u->superseded->len == 0)
			continue;
		g_hash_table_add(left, u->id);
		g_ptr_array_add(list, u);
	}
	for (bool moved = true; moved;) {
		moved = false;
		for (guint i = 0; i < list->len; i++) {
			const struct update *u = g_ptr_array_index(list, i);
			bool held = false;
			for (guint k = 0; !held && k < u->superseded->len; k++)
				held = g_hash_table_contains(left, reference_at(u->superseded, k)->id);
			if (held)
				continue;
			g_hash_table_remove(left, u->id);
			g_ptr_array_remove_index(list, i--);
			moved = true;
		}
	}
	if (list->len == 0)
		return true;
	const struct update *u = g_ptr_array_index(list, 0);
	return ib_throw(err, code, "supersedence runs in a circle through update %s ('%s')", u->id, u->title);
}
