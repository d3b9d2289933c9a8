/* The text of a package's .mum. */
#include "model.h"
#include "xmltext.h"

#define NS_ASM3 "urn:schemas-microsoft-com:asm.v3"
#define COPYRIGHT "Copyright (c) imgbuild laboratory. Not a Microsoft product."

static void write_parents(struct lab_xml *x, const struct lab_package *p)
{
	for (guint i = 0; i < p->parents->len; i++) {
		const struct lab_parent *parent = p->parents->pdata[i];

		lab_xml_open(x, "parent", "buildCompare", parent->build_compare, "serviceCompare",
			     parent->service_compare, "disposition", parent->disposition, "integrate", parent->integrate,
			     "revisionCompare", parent->revision_compare, NULL);
		for (guint j = 0; j < parent->identities->len; j++)
			lab_xml_identity(x, parent->identities->pdata[j]);
		lab_xml_close(x, "parent");
	}
}

static void write_stack(struct lab_xml *x, const struct lab_package *p)
{
	if (p->stack_version)
		lab_xml_empty(x, "installerAssembly", "name", "Microsoft-Windows-ServicingStack", "version",
			      p->stack_version, "processorArchitecture", p->id.arch, "language", "neutral",
			      "publicKeyToken", LAB_TOKEN, "versionScope", "nonSxS", NULL);
}

static void write_capability(struct lab_xml *x, const struct lab_package *p)
{
	const char *language = g_strcmp0(p->id.culture, "neutral") ? p->id.culture : p->capability_language;

	if (!p->capability)
		return;
	lab_xml_open(x, "declareCapability", NULL);
	lab_xml_open(x, "capability", NULL);
	lab_xml_empty(x, "capabilityIdentity", "name", p->capability, "version", p->capability_version, "language", language,
		      NULL);
	lab_xml_close(x, "capability");
	if (p->needs_capability) {
		lab_xml_open(x, "dependency", NULL);
		lab_xml_empty(x, "capabilityIdentity", "name", p->needs_capability, "version", p->capability_version, "language",
			      language, NULL);
		lab_xml_close(x, "dependency");
	}
	if (p->is_satellite || p->has_satellites) {
		lab_xml_open(x, "satelliteInfo", NULL);
		lab_xml_empty(x, p->is_satellite ? "applyTo" : "declare", "type", "language", "value",
			      p->is_satellite ? language : NULL, NULL);
		lab_xml_close(x, "satelliteInfo");
	}
	lab_xml_close(x, "declareCapability");
}

static void write_applicable(struct lab_xml *x, const struct lab_update *u)
{
	if (!u->applicable_update)
		return;
	lab_xml_open(x, "applicable", "disposition", "staged", NULL);
	lab_xml_open(x, "detectUpdate", NULL);
	lab_xml_open(x, "parent", NULL);
	lab_xml_identity(x, u->applicable_parent);
	lab_xml_close(x, "parent");
	lab_xml_empty(x, "update", "name", u->applicable_update, NULL);
	lab_xml_close(x, "detectUpdate");
	lab_xml_close(x, "applicable");
}

static void write_content(struct lab_xml *x, const struct lab_update *u)
{
	if (u->deployment) {
		lab_xml_open(x, "component", NULL);
		lab_xml_identity(x, &u->deployment->id);
		lab_xml_close(x, "component");
	} else if (u->child) {
		lab_xml_open(x, "package", "contained", "false", "integrate", u->child_integrate, NULL);
		lab_xml_identity(x, u->child);
		lab_xml_close(x, "package");
	} else if (u->driver) {
		lab_xml_open(x, "driver", "inf", u->driver_inf, "ranking", "normal", NULL);
		lab_xml_identity(x, u->driver);
		lab_xml_close(x, "driver");
	}
}

static void write_update(struct lab_xml *x, const struct lab_update *u)
{
	lab_xml_open(x, "update", "name", u->name, "displayName", u->display, "description", u->description, NULL);
	if (u->selectable) {
		lab_xml_open(x, "selectable", "disposition", "staged", NULL);
		lab_xml_empty(x, "detectNone", "default", u->default_on ? "true" : "false", NULL);
		lab_xml_close(x, "selectable");
	}
	write_applicable(x, u);
	write_content(x, u);
	lab_xml_close(x, "update");
}

GBytes *lab_mum_text(const struct lab_package *p)
{
	struct lab_xml x = lab_xml_begin();

	lab_xml_open(&x, "assembly", "xmlns", NS_ASM3, "manifestVersion", "1.0", "description", p->description,
		     "displayName", p->display, "company", p->company, "copyright", COPYRIGHT, "supportInformation",
		     p->support, NULL);
	lab_xml_identity(&x, &p->id);
	lab_xml_open(&x, "package", "identifier", p->identifier, "applicabilityEvaluation", p->deep ? "deep" : NULL,
		     "releaseType", p->release_type, "restart", p->restart, "permanence", p->permanence, "selfUpdate",
		     p->self_update ? "true" : NULL, NULL);
	if (p->format)
		lab_xml_empty(&x, "mum2:customInformation", "xmlns:mum2", NS_ASM3, "PackageFormat", p->format, NULL);
	write_parents(&x, p);
	write_stack(&x, p);
	write_capability(&x, p);
	for (guint i = 0; i < p->updates->len; i++)
		write_update(&x, p->updates->pdata[i]);
	lab_xml_close(&x, "package");
	lab_xml_close(&x, "assembly");
	return lab_xml_end(&x);
}
