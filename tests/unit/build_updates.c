/* build: the order of updates: kinds, checkpoints, the newest of a name first. */
#include <criterion/criterion.h>
#include <string.h>

#include "build/internal.h"

/* A package that is only a description: name, version, and the version of its own name it asks for (NULL: none). */
static void add(GPtrArray *updates, int rank, const char *name, const char *version, const char *asks)
{
	g_autofree char *folder = g_dir_make_tmp("updates-XXXXXX", NULL), *path = g_build_filename(folder, "update.mum", NULL);
	g_autofree char *parent = asks ? g_strdup_printf("<parent><assemblyIdentity name=\"%s\" version=\"%s\" "
							 "processorArchitecture=\"amd64\" language=\"neutral\" "
							 "publicKeyToken=\"31bf3856ad364e35\"/></parent>", name, asks) : g_strdup("");
	g_autofree char *mum = g_strdup_printf("<assembly xmlns=\"urn:schemas-microsoft-com:asm.v3\" manifestVersion=\"1.0\">"
					       "<assemblyIdentity name=\"%s\" version=\"%s\" processorArchitecture=\"amd64\" "
					       "language=\"neutral\" publicKeyToken=\"31bf3856ad364e35\"/>"
					       "<package identifier=\"KB\" releaseType=\"Update\">%s</package></assembly>",
					       name, version, parent);
	struct update *u = g_new0(struct update, 1);
	ib_auto_error err = NULL;

	cr_assert(g_file_set_contents(path, mum, -1, NULL));
	cr_assert(ib_package_open(folder, NULL, &u->package, &err), "%s", err ? ib_error_cause(err) : "");
	u->rank = rank;
	g_ptr_array_add(updates, u);
	cr_assert(ib_dir_remove(folder, &err));
}

static void expect(GPtrArray *updates, const char *want)
{
	g_autoptr(GString) got = g_string_new(NULL);

	updates_sort(updates);
	for (guint i = 0; i < updates->len; i++) {
		const struct update *u = updates->pdata[i];
		const struct ib_identity *id = &ib_package_root(u->package)->id;
		g_string_append_printf(got, "%s %s%s\n", id->name, id->version, u->checkpoint ? " checkpoint" : "");
	}
	cr_assert_str_eq(got->str, want);
}

Test(build_updates, the_newest_of_a_name_comes_first)
{
	g_autoptr(GPtrArray) u = g_ptr_array_new_with_free_func((GDestroyNotify)build_update_free);

	add(u, 5, "Rollup", "10.0.1.1", NULL);
	add(u, 5, "Rollup", "10.0.1.3", NULL);
	add(u, 5, "Rollup", "10.0.1.2", NULL);
	add(u, 0, "Stack", "10.0.1.1", NULL);
	expect(u, "Stack 10.0.1.1\nRollup 10.0.1.3\nRollup 10.0.1.2\nRollup 10.0.1.1\n");
}

Test(build_updates, checkpoints_come_before_what_asks_for_them)
{
	g_autoptr(GPtrArray) u = g_ptr_array_new_with_free_func((GDestroyNotify)build_update_free);

	add(u, 5, "Rollup", "10.0.1.4", "10.0.1.2");
	add(u, 5, "Rollup", "10.0.1.3", "10.0.1.2"); /* older, and nobody asks for it */
	add(u, 5, "Rollup", "10.0.1.2", "10.0.1.1");
	add(u, 5, "Rollup", "10.0.1.1", NULL);
	add(u, 5, "Another", "10.0.1.1", NULL); /* of another name: no checkpoint */
	expect(u, "Another 10.0.1.1\nRollup 10.0.1.1 checkpoint\nRollup 10.0.1.2 checkpoint\nRollup 10.0.1.4\nRollup 10.0.1.3\n");
}
