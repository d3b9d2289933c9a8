/*
 * Scheduled tasks that components brought: their files are in the image, the scheduler's own cache, which nobody documents,
 * is not touched. So Setup registers each of them once: out of a copy, as deleting what the scheduler knows under that name
 * takes the file along.
 */
#include "build/internal.h"

#include <string.h>

#define TASKS "Windows\\System32\\Tasks"

static void append_task(GString *out, const char *name)
{
	g_autoptr(GString) n = g_string_new(name); /* a path of the image: checked, without quotes */

	g_string_replace(n, "%", "%%", 0);
	g_string_append_printf(out, "copy /y \"%%SystemRoot%%\\System32\\Tasks\\%s\" \"%%TEMP%%\\imgbuild-task.xml\" >nul && "
			       "(schtasks /delete /tn \"\\%s\" /f >nul 2>nul & "
			       "schtasks /create /tn \"\\%s\" /xml \"%%TEMP%%\\imgbuild-task.xml\" /f)\r\n", n->str, n->str, n->str);
}

void tasks_script(struct ib_store *store, GString *commands)
{
	const GPtrArray *notes = ib_store_notes(store);

	if (ib_store_info(store)->pe) /* no scheduler, and nothing runs the script */
		return;
	for (guint i = 0; i < notes->len; i++) {
		const struct ib_note *n = g_ptr_array_index(notes, i);
		if (strcmp(n->id, "first-boot-task") != 0)
			continue;
		g_autofree char *path = g_strconcat(TASKS "\\", n->subject, NULL);
		if (ib_image_find(ib_store_image(store), path)) /* not taken out again by a removal */
			append_task(commands, n->subject);
	}
}
