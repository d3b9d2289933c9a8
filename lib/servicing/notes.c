/* Notes: what was not, or not only, done offline. */
#include "servicing/internal.h"

#include <string.h>

static void note_free(void *p)
{
	struct ib_note *n = p;

	g_free(n->subject);
	g_free(n->text);
	g_free(n);
}

void ib_svc_notes_init(struct ib_store *s)
{
	s->notes = g_ptr_array_new_with_free_func(note_free);
	s->noted = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
}

void ib_svc_note(struct ib_store *s, const char *id, const char *subject, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	char *text = g_strdup_vprintf(fmt, ap);
	va_end(ap);
	if (!g_hash_table_add(s->noted, g_strdup_printf("%s\n%s\n%s", id, subject, text))) {
		g_free(text);
		return;
	}
	struct ib_note *n = g_new0(struct ib_note, 1);
	n->id = id;
	n->subject = g_strdup(subject);
	n->text = text;
	g_ptr_array_add(s->notes, n);
}

const GPtrArray *ib_store_notes(const struct ib_store *s)
{
	return s->notes;
}

/* Elements with a meaning that an offline engine cannot give them, and what to say about each. */
static const struct {
	const char *element, *id, *text;
} elements[] = {
	{ "genericCommands", "generic-command", "it runs a program when it is installed, which was not run" },
	{ "mof", "mof", "its WMI classes are compiled at the first start only" },
	{ "imaging", "sysprep", "its sysprep provider is not registered" },
	{ "networkComponents", "network-component", "its network component is not installed" },
	{ "SecureBoot", "secure-boot", "its Secure Boot update is applied at the first start only" },
	{ "languagePack", "language-pack", "its language pack settings are not registered" },
	{ "appxRegistration", "appx", "its app package is not registered" },
	{ "gac", "gac", "its assemblies are not put into the global assembly cache" },
	{ "ngen", "ngen", "its assemblies are not compiled ahead of time" },
	{ "HTTPAI", "http", "its HTTP namespaces are not reserved" },
	{ "counters", "counters", "its performance counters are not registered" },
	{ "rescache", "resource-cache", "the resource cache is rebuilt at the first start only" },
};

/* Elements without any effect on a system that is not running. */
static const char *const harmless[] = {
	"configuration", "cleanupCache", "deconstructionTool", "localization", "trustInfo", "unattendActions",
	"noInheritable", "noInherit", "asmv2:hash", "signatureInfo", "systemProtection",
	"customInformation", "deployment", "description", "migrationDisplayID", NULL,
};

void ib_svc_note_elements(struct ib_store *s, const struct ib_manifest *m)
{
	for (guint i = 0; i < m->other->len; i++) {
		const char *name = m->other->pdata[i];
		const char *id = "unhandled-element";
		const char *text = NULL;

		if (g_strv_contains(harmless, name))
			continue;
		for (size_t k = 0; k < G_N_ELEMENTS(elements); k++)
			if (!g_ascii_strcasecmp(elements[k].element, name)) {
				id = elements[k].id;
				text = elements[k].text;
			}
		if (text)
			ib_svc_note(s, id, m->keyform, "%s: %s", name, text);
		else
			ib_svc_note(s, id, m->keyform, "the element '%s' was not carried out", name);
	}
}
