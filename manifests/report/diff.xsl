<?xml version="1.0" encoding="UTF-8"?>
<!--
  What differs between two images, on one page of the papers' look.

  Input: <diff> with two <side>s and a <kind> for each kind of thing; a <thing> of it has a name and <change>s, a change
  what A and what B has. Links lead to places of the page only. On a narrow screen each row becomes a card; roles tell
  what the tables are also then.
-->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
  <xsl:import href="common.xsl"/>

  <xsl:template match="/diff">
    <xsl:variable name="title"><xsl:call-template name="term"><xsl:with-param name="id">title-diff</xsl:with-param></xsl:call-template></xsl:variable>
    <html lang="{$lang}">
      <head>
        <title><xsl:value-of select="$title"/></title>
        <meta name="viewport" content="width=device-width, initial-scale=1"/>
        <style><xsl:call-template name="css"/><xsl:call-template name="diff-css"/></style>
      </head>
      <body class="{$lang} diff">
        <div class="sheet" role="main">
          <div class="head">
            <p class="issuer"><xsl:call-template name="term"><xsl:with-param name="id">diff-issuer</xsl:with-param></xsl:call-template></p>
            <h1><xsl:value-of select="$title"/></h1>
          </div>
          <xsl:call-template name="sides"/>
          <xsl:call-template name="overview"/>
          <xsl:apply-templates select="kind"/>
        </div>
      </body>
    </html>
  </xsl:template>

  <!-- ==== the two images ==== -->
  <xsl:template name="side-row">
    <xsl:param name="term"/>
    <xsl:param name="name"/>
    <xsl:param name="class">v</xsl:param>
    <tr role="row">
      <th scope="row" role="rowheader"><xsl:call-template name="term"><xsl:with-param name="id" select="$term"/></xsl:call-template></th>
      <xsl:for-each select="side">
        <td role="cell">
          <xsl:call-template name="label"><xsl:with-param name="id" select="concat('side-', @id)"/></xsl:call-template>
          <xsl:call-template name="value">
            <xsl:with-param name="node" select="*[local-name() = $name]"/>
            <xsl:with-param name="class" select="$class"/>
          </xsl:call-template>
        </td>
      </xsl:for-each>
    </tr>
    <xsl:text>&#10;</xsl:text>
  </xsl:template>

  <xsl:template name="sides">
    <h2 id="images"><xsl:call-template name="term"><xsl:with-param name="id">diff-images</xsl:with-param></xsl:call-template></h2>
    <table class="cards sides" role="table" aria-labelledby="images">
      <thead role="rowgroup"><tr role="row">
        <td role="cell"></td>
        <xsl:call-template name="col"><xsl:with-param name="id">side-a</xsl:with-param></xsl:call-template>
        <xsl:call-template name="col"><xsl:with-param name="id">side-b</xsl:with-param></xsl:call-template>
      </tr></thead>
      <tbody role="rowgroup">
        <xsl:call-template name="side-row"><xsl:with-param name="term">image-file</xsl:with-param><xsl:with-param name="name">file</xsl:with-param><xsl:with-param name="class">m</xsl:with-param></xsl:call-template>
        <xsl:call-template name="side-row"><xsl:with-param name="term">image-index</xsl:with-param><xsl:with-param name="name">index</xsl:with-param></xsl:call-template>
        <xsl:call-template name="side-row"><xsl:with-param name="term">image-title</xsl:with-param><xsl:with-param name="name">name</xsl:with-param></xsl:call-template>
        <xsl:call-template name="side-row"><xsl:with-param name="term">image-edition</xsl:with-param><xsl:with-param name="name">edition</xsl:with-param></xsl:call-template>
        <xsl:call-template name="side-row"><xsl:with-param name="term">image-version</xsl:with-param><xsl:with-param name="name">version</xsl:with-param></xsl:call-template>
      </tbody>
    </table>
  </xsl:template>

  <xsl:template name="col">
    <xsl:param name="id"/>
    <xsl:param name="class"/>
    <th scope="col" role="columnheader">
      <xsl:if test="$class"><xsl:attribute name="class"><xsl:value-of select="$class"/></xsl:attribute></xsl:if>
      <xsl:call-template name="term"><xsl:with-param name="id" select="$id"/></xsl:call-template>
    </th>
  </xsl:template>

  <!-- What a cell is, where the head of its column is not seen: on a card. -->
  <xsl:template name="label">
    <xsl:param name="id"/>
    <span class="label" aria-hidden="true"><xsl:call-template name="term"><xsl:with-param name="id" select="$id"/></xsl:call-template></span>
  </xsl:template>

  <!-- ==== how much differs ==== -->
  <xsl:template name="counts">
    <xsl:param name="all"/>
    <xsl:param name="changed"/>
    <xsl:param name="only-a"/>
    <xsl:param name="only-b"/>
    <td class="num" role="cell"><xsl:value-of select="$all"/></td>
    <td class="num" role="cell"><xsl:value-of select="$changed"/></td>
    <td class="num" role="cell"><xsl:value-of select="$only-a"/></td>
    <td class="num" role="cell"><xsl:value-of select="$only-b"/></td>
  </xsl:template>

  <xsl:template name="overview">
    <h2 id="overview"><xsl:call-template name="term"><xsl:with-param name="id">diff-overview</xsl:with-param></xsl:call-template></h2>
    <p><xsl:call-template name="term"><xsl:with-param name="id">diff-intro</xsl:with-param></xsl:call-template></p>
    <xsl:if test="not(kind/thing)"><p class="strong"><xsl:call-template name="term"><xsl:with-param name="id">diff-same</xsl:with-param></xsl:call-template></p></xsl:if>
    <table class="overview" aria-labelledby="overview">
      <thead><tr>
        <xsl:call-template name="th"><xsl:with-param name="id">diff-kind</xsl:with-param></xsl:call-template>
        <xsl:call-template name="th"><xsl:with-param name="id">diff-all</xsl:with-param><xsl:with-param name="class">num</xsl:with-param></xsl:call-template>
        <xsl:call-template name="th"><xsl:with-param name="id">diff-changed</xsl:with-param><xsl:with-param name="class">num</xsl:with-param></xsl:call-template>
        <xsl:call-template name="th"><xsl:with-param name="id">diff-only-a</xsl:with-param><xsl:with-param name="class">num</xsl:with-param></xsl:call-template>
        <xsl:call-template name="th"><xsl:with-param name="id">diff-only-b</xsl:with-param><xsl:with-param name="class">num</xsl:with-param></xsl:call-template>
      </tr></thead>
      <tbody>
        <xsl:for-each select="kind">
          <tr>
            <th scope="row"><a href="#kind-{@id}"><xsl:call-template name="term"><xsl:with-param name="id" select="concat('kind-', @id)"/></xsl:call-template></a></th>
            <xsl:call-template name="counts">
              <xsl:with-param name="all" select="@all"/><xsl:with-param name="changed" select="@changed"/>
              <xsl:with-param name="only-a" select="@only-a"/><xsl:with-param name="only-b" select="@only-b"/>
            </xsl:call-template>
          </tr>
          <xsl:text>&#10;</xsl:text>
        </xsl:for-each>
        <tr class="total">
          <th scope="row"><xsl:call-template name="term"><xsl:with-param name="id">diff-total</xsl:with-param></xsl:call-template></th>
          <xsl:call-template name="counts">
            <xsl:with-param name="all" select="sum(kind/@all)"/><xsl:with-param name="changed" select="sum(kind/@changed)"/>
            <xsl:with-param name="only-a" select="sum(kind/@only-a)"/><xsl:with-param name="only-b" select="sum(kind/@only-b)"/>
          </xsl:call-template>
        </tr>
      </tbody>
    </table>
  </xsl:template>

  <!-- ==== the differences ==== -->
  <xsl:template match="kind">
    <xsl:variable name="id" select="@id"/>
    <h2 id="kind-{$id}">
      <xsl:call-template name="term"><xsl:with-param name="id" select="concat('kind-', $id)"/></xsl:call-template>
      <xsl:call-template name="term"><xsl:with-param name="id">open</xsl:with-param></xsl:call-template>
      <xsl:value-of select="@all"/>
      <xsl:call-template name="term"><xsl:with-param name="id">close</xsl:with-param></xsl:call-template>
    </h2>
    <xsl:choose>
      <xsl:when test="thing">
        <!-- Kinds whose things have one property only need no column for it. -->
        <xsl:variable name="fields" select="boolean(thing/change/field)"/>
        <table role="table" aria-labelledby="kind-{$id}">
          <xsl:attribute name="class">cards<xsl:if test="$fields"> fields</xsl:if></xsl:attribute>
          <thead role="rowgroup"><tr role="row">
            <xsl:call-template name="col"><xsl:with-param name="id">diff-thing</xsl:with-param></xsl:call-template>
            <xsl:if test="$fields"><xsl:call-template name="col"><xsl:with-param name="id">diff-field</xsl:with-param></xsl:call-template></xsl:if>
            <xsl:call-template name="col"><xsl:with-param name="id">side-a</xsl:with-param></xsl:call-template>
            <xsl:call-template name="col"><xsl:with-param name="id">side-b</xsl:with-param></xsl:call-template>
          </tr></thead>
          <tbody role="rowgroup">
            <xsl:for-each select="thing/change">
              <tr role="row">
                <!-- Each row has its name, so that it can be read alone; only the first of a name shows it strongly. -->
                <th scope="row" role="rowheader">
                  <xsl:if test="preceding-sibling::change"><xsl:attribute name="class">again</xsl:attribute></xsl:if>
                  <xsl:call-template name="thing-name"><xsl:with-param name="kind" select="$id"/></xsl:call-template>
                </th>
                <xsl:if test="$fields"><td class="field" role="cell"><xsl:call-template name="field"><xsl:with-param name="kind" select="$id"/></xsl:call-template></td></xsl:if>
                <xsl:call-template name="side-cell"><xsl:with-param name="kind" select="$id"/><xsl:with-param name="side">a</xsl:with-param><xsl:with-param name="node" select="a"/></xsl:call-template>
                <xsl:call-template name="side-cell"><xsl:with-param name="kind" select="$id"/><xsl:with-param name="side">b</xsl:with-param><xsl:with-param name="node" select="b"/></xsl:call-template>
              </tr>
              <xsl:text>&#10;</xsl:text>
            </xsl:for-each>
          </tbody>
        </table>
        <p class="top"><a href="#overview"><xsl:call-template name="term"><xsl:with-param name="id">diff-top</xsl:with-param></xsl:call-template></a></p>
      </xsl:when>
      <xsl:otherwise><p><xsl:call-template name="term"><xsl:with-param name="id">diff-kind-same</xsl:with-param></xsl:call-template></p></xsl:otherwise>
    </xsl:choose>
  </xsl:template>

  <!-- The image's own properties have names of ours; all others are names in the image. -->
  <xsl:template name="thing-name">
    <xsl:param name="kind"/>
    <xsl:choose>
      <xsl:when test="$kind = 'image'"><xsl:call-template name="term"><xsl:with-param name="id" select="concat('image-', translate(../name, ' ', '-'))"/></xsl:call-template></xsl:when>
      <xsl:otherwise><span class="m"><xsl:value-of select="../name"/></span></xsl:otherwise>
    </xsl:choose>
  </xsl:template>

  <xsl:template name="field">
    <xsl:param name="kind"/>
    <xsl:choose>
      <xsl:when test="not(field)"/>
      <xsl:when test="$kind = 'file'"><xsl:call-template name="term"><xsl:with-param name="id" select="concat('field-', field)"/></xsl:call-template></xsl:when>
      <xsl:otherwise><span class="m"><xsl:value-of select="field"/></span></xsl:otherwise>
    </xsl:choose>
  </xsl:template>

  <xsl:template name="side-cell">
    <xsl:param name="kind"/>
    <xsl:param name="side"/>
    <xsl:param name="node"/>
    <td class="{$side}" role="cell">
      <xsl:call-template name="label"><xsl:with-param name="id" select="concat('side-', $side)"/></xsl:call-template>
      <xsl:choose>
        <xsl:when test="not($node)"><span class="missing"><xsl:call-template name="term"><xsl:with-param name="id">diff-none</xsl:with-param></xsl:call-template></span></xsl:when>
        <xsl:when test="$node = ''"><span class="missing"><xsl:call-template name="term"><xsl:with-param name="id">diff-empty</xsl:with-param></xsl:call-template></span></xsl:when>
        <xsl:when test="$kind = 'package' or $kind = 'feature' or ($kind = 'file' and (not(field) or field = 'kind') and ($node = 'folder' or $node = 'file'))">
          <xsl:call-template name="state"><xsl:with-param name="word" select="$node"/></xsl:call-template>
        </xsl:when>
        <xsl:when test="$kind = 'file' and contains($node, ' bytes, SHA-1 ')">
          <xsl:value-of select="substring-before($node, ' bytes')"/><xsl:call-template name="term"><xsl:with-param name="id">bytes</xsl:with-param></xsl:call-template>
          <br/><span class="m small">SHA-1 <xsl:value-of select="substring-after($node, 'SHA-1 ')"/></span>
        </xsl:when>
        <xsl:when test="$kind = 'image' or $kind = 'component'"><span class="v"><xsl:value-of select="$node"/></span></xsl:when>
        <xsl:otherwise><span class="m"><xsl:value-of select="$node"/></span></xsl:otherwise>
      </xsl:choose>
    </td>
  </xsl:template>

  <!-- A state in words; one that the glossary does not know as it stands. -->
  <xsl:template name="state">
    <xsl:param name="word"/>
    <xsl:variable name="t" select="key('term', concat($lang, '|state-', translate($word, ' ', '-')))"/>
    <xsl:choose>
      <xsl:when test="$t"><xsl:value-of select="$t"/></xsl:when>
      <xsl:otherwise><span class="v"><xsl:value-of select="$word"/></span></xsl:otherwise>
    </xsl:choose>
  </xsl:template>

  <xsl:template name="diff-css">
.diff .sheet { width: 280mm; padding: 14mm 16mm 12mm; }
.diff table { table-layout: fixed; }
.diff .sides tbody th { width: 20%; }
.diff .cards th:first-child { width: 34%; }
.diff .cards.fields th:first-child { width: 26%; }
.diff .cards.fields th:nth-child(2) { width: 18%; }
.diff .sides th:first-child, .diff .sides td:first-child { width: 20%; }
.diff tbody th { min-width: 0; font-weight: 600; background: var(--tint); }
.diff tbody th.again { font-weight: 400; color: var(--soft); background: none; }
.diff .overview { width: auto; min-width: 60%; table-layout: auto; }
.diff .overview th[scope=row] { background: none; font-weight: 400; }
.diff .overview .total th, .diff .overview .total td { font-weight: 600; border-top: 1.2pt solid var(--ink); }
.diff a { color: inherit; text-decoration: underline; text-underline-offset: .15em; }
.diff a:focus-visible { outline: 2pt solid var(--ink); outline-offset: 2pt; }
.diff .label { display: none; }
.diff .small { color: var(--soft); }
.diff .top { font-size: 9.5pt; text-align: right; }
@page { size: A4 landscape; margin: 14mm; }
@media screen and (max-width: 48em) {
  html { background: #fff; }
  .diff .sheet { width: auto; margin: 0; padding: 5mm 4mm; box-shadow: none; }
  .diff h1 { font-size: 16pt; }
  .diff .cards thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
  .diff .cards, .diff .cards tbody, .diff .cards tr, .diff .cards th, .diff .cards td { display: block; width: auto !important; }
  .diff .cards tr { border: .6pt solid var(--rule); margin-bottom: 3mm; }
  .diff .cards th, .diff .cards td { border: 0; border-bottom: .6pt solid var(--hair); }
  .diff .cards td:last-child { border-bottom: 0; }
  .diff .cards td.field:empty { display: none; }
  .diff .cards .label { display: block; font-size: 8.5pt; color: var(--soft); }
  .diff .overview { width: 100%; min-width: 0; font-size: 8.6pt; }
  .diff .overview th, .diff .overview td { padding: 1mm; }
}
@media print {
  .diff .top { display: none; }
  .diff a { text-decoration: none; }
}
</xsl:template>
</xsl:stylesheet>
