<?xml version="1.0" encoding="UTF-8"?>
<!-- The delivery note: which files, where, and how to verify them. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
  <xsl:import href="common.xsl"/>

  <xsl:template match="/report">
    <xsl:call-template name="page">
      <xsl:with-param name="paper">delivery-note</xsl:with-param>
      <xsl:with-param name="prefix">DN</xsl:with-param>
      <xsl:with-param name="body">
        <xsl:call-template name="delivery"/>
        <xsl:call-template name="files"/>
        <xsl:call-template name="verify"/>
        <xsl:call-template name="content"/>
        <xsl:call-template name="use"/>
        <xsl:call-template name="support"/>
        <xsl:call-template name="receipt"/>
      </xsl:with-param>
    </xsl:call-template>
  </xsl:template>

  <xsl:template name="delivery">
    <xsl:call-template name="h2"><xsl:with-param name="n">1</xsl:with-param><xsl:with-param name="id">h-delivery</xsl:with-param></xsl:call-template>
    <xsl:call-template name="p"><xsl:with-param name="id">delivery-intro</xsl:with-param></xsl:call-template>
    <table class="facts">
      <xsl:call-template name="row"><xsl:with-param name="id">asked-for</xsl:with-param></xsl:call-template>
      <xsl:call-template name="row"><xsl:with-param name="id">requested</xsl:with-param></xsl:call-template>
      <xsl:call-template name="row"><xsl:with-param name="id">promised</xsl:with-param></xsl:call-template>
      <xsl:call-template name="words-row"><xsl:with-param name="list">scenario</xsl:with-param></xsl:call-template>
      <xsl:call-template name="row"><xsl:with-param name="id">edition</xsl:with-param></xsl:call-template>
      <xsl:call-template name="row"><xsl:with-param name="id">publish-url</xsl:with-param><xsl:with-param name="class">m</xsl:with-param></xsl:call-template>
    </table>
    <xsl:if test="key('fact', 'days-late')">
      <xsl:call-template name="p"><xsl:with-param name="id">request-late</xsl:with-param><xsl:with-param name="class">late</xsl:with-param></xsl:call-template>
    </xsl:if>
    <xsl:call-template name="p"><xsl:with-param name="id">delivery-access</xsl:with-param></xsl:call-template>
  </xsl:template>

  <xsl:template name="file">
    <xsl:param name="name"/>
    <xsl:param name="clause"/>
    <tr>
      <td><span class="m"><xsl:value-of select="$name"/></span></td>
      <td><xsl:call-template name="clause-text"><xsl:with-param name="id" select="$clause"/></xsl:call-template></td>
    </tr>
    <xsl:text>&#10;</xsl:text>
  </xsl:template>

  <xsl:template name="files">
    <xsl:call-template name="h2"><xsl:with-param name="n">2</xsl:with-param><xsl:with-param name="id">h-files</xsl:with-param></xsl:call-template>
    <table class="files">
      <thead><tr>
        <xsl:call-template name="th"><xsl:with-param name="id">file</xsl:with-param></xsl:call-template>
        <xsl:call-template name="th"><xsl:with-param name="id">purpose</xsl:with-param></xsl:call-template>
      </tr></thead>
      <tbody>
        <tr>
          <td><xsl:call-template name="value"><xsl:with-param name="node" select="key('fact', 'iso-name')"/><xsl:with-param name="class">m</xsl:with-param></xsl:call-template></td>
          <td><xsl:call-template name="clause-text"><xsl:with-param name="id">file-iso</xsl:with-param></xsl:call-template></td>
        </tr>
        <xsl:call-template name="file"><xsl:with-param name="name">SHA256SUMS</xsl:with-param><xsl:with-param name="clause">file-sums</xsl:with-param></xsl:call-template>
        <xsl:call-template name="file"><xsl:with-param name="name">SHA256SUMS.p7s</xsl:with-param><xsl:with-param name="clause">file-signature</xsl:with-param></xsl:call-template>
        <xsl:if test="key('fact', 'stream')"><xsl:call-template name="file"><xsl:with-param name="name">metadata/</xsl:with-param><xsl:with-param name="clause">file-metadata</xsl:with-param></xsl:call-template></xsl:if>
        <xsl:call-template name="file"><xsl:with-param name="name">papers/</xsl:with-param><xsl:with-param name="clause">file-papers</xsl:with-param></xsl:call-template>
        <xsl:call-template name="file"><xsl:with-param name="name">evidence/</xsl:with-param><xsl:with-param name="clause">file-evidence</xsl:with-param></xsl:call-template>
        <xsl:call-template name="file"><xsl:with-param name="name">build.json</xsl:with-param><xsl:with-param name="clause">file-build</xsl:with-param></xsl:call-template>
      </tbody>
    </table>
    <xsl:call-template name="files-table"/>
  </xsl:template>

  <xsl:template name="verify">
    <xsl:variable name="iso" select="key('fact', 'iso-name')"/>
    <xsl:call-template name="h2"><xsl:with-param name="n">3</xsl:with-param><xsl:with-param name="id">h-verify</xsl:with-param></xsl:call-template>
    <xsl:call-template name="h3"><xsl:with-param name="n">3</xsl:with-param><xsl:with-param name="m">1</xsl:with-param><xsl:with-param name="id">h-verify-digest</xsl:with-param></xsl:call-template>
    <xsl:call-template name="p"><xsl:with-param name="id">verify-digest</xsl:with-param></xsl:call-template>
    <pre>sha256sum -c SHA256SUMS</pre>
    <xsl:call-template name="h3"><xsl:with-param name="n">3</xsl:with-param><xsl:with-param name="m">2</xsl:with-param><xsl:with-param name="id">h-verify-signature</xsl:with-param></xsl:call-template>
    <xsl:call-template name="p"><xsl:with-param name="id">verify-signature</xsl:with-param></xsl:call-template>
    <pre>openssl cms -verify -binary -inform DER -in SHA256SUMS.p7s -content SHA256SUMS \
    -CAfile supplier-root.pem -purpose any -out /dev/null</pre>
    <xsl:call-template name="h3"><xsl:with-param name="n">3</xsl:with-param><xsl:with-param name="m">3</xsl:with-param><xsl:with-param name="id">h-verify-windows</xsl:with-param></xsl:call-template>
    <xsl:call-template name="p"><xsl:with-param name="id">verify-windows</xsl:with-param></xsl:call-template>
    <pre>certutil -hashfile "<xsl:value-of select="$iso"/>" SHA256<xsl:text>&#10;&#10;</xsl:text><xsl:call-template name="value"><xsl:with-param name="node" select="key('fact', 'iso-sha256')"/><xsl:with-param name="class">m</xsl:with-param></xsl:call-template></pre>
    <xsl:call-template name="p"><xsl:with-param name="id">verify-fail</xsl:with-param><xsl:with-param name="class">strong</xsl:with-param></xsl:call-template>
  </xsl:template>

  <xsl:template name="content">
    <xsl:call-template name="h2"><xsl:with-param name="n">4</xsl:with-param><xsl:with-param name="id">h-content</xsl:with-param></xsl:call-template>
    <xsl:call-template name="h3"><xsl:with-param name="n">4</xsl:with-param><xsl:with-param name="m">1</xsl:with-param><xsl:with-param name="id">h-updates</xsl:with-param></xsl:call-template>
    <xsl:call-template name="updates-table"/>
    <xsl:call-template name="h3"><xsl:with-param name="n">4</xsl:with-param><xsl:with-param name="m">2</xsl:with-param><xsl:with-param name="id">h-removed</xsl:with-param></xsl:call-template>
    <xsl:call-template name="removed-table"/>
  </xsl:template>

  <xsl:template name="use">
    <xsl:call-template name="h2"><xsl:with-param name="n">5</xsl:with-param><xsl:with-param name="id">h-use</xsl:with-param></xsl:call-template>
    <ol>
      <xsl:call-template name="li"><xsl:with-param name="id">use-risks</xsl:with-param></xsl:call-template>
      <xsl:call-template name="li"><xsl:with-param name="id">use-backup</xsl:with-param></xsl:call-template>
      <xsl:if test="key('fact', 'stream')"><xsl:call-template name="li"><xsl:with-param name="id">use-metadata</xsl:with-param></xsl:call-template></xsl:if>
    </ol>
    <xsl:call-template name="server"/>
    <xsl:if test="not(key('list', 'tests|')/item)">
      <xsl:call-template name="p"><xsl:with-param name="id">tests-none</xsl:with-param><xsl:with-param name="class">alert</xsl:with-param></xsl:call-template>
    </xsl:if>
  </xsl:template>

  <xsl:template name="support">
    <xsl:call-template name="h2"><xsl:with-param name="n">6</xsl:with-param><xsl:with-param name="id">h-support</xsl:with-param></xsl:call-template>
    <table class="facts">
      <xsl:call-template name="row"><xsl:with-param name="id">legal-name</xsl:with-param></xsl:call-template>
      <xsl:call-template name="row"><xsl:with-param name="id">hotline</xsl:with-param></xsl:call-template>
      <xsl:call-template name="row"><xsl:with-param name="id">support-scope</xsl:with-param></xsl:call-template>
    </table>
    <xsl:call-template name="p"><xsl:with-param name="id">support-problem</xsl:with-param></xsl:call-template>
  </xsl:template>

  <xsl:template name="receipt">
    <xsl:call-template name="h2"><xsl:with-param name="n">7</xsl:with-param><xsl:with-param name="id">h-receipt</xsl:with-param></xsl:call-template>
    <xsl:call-template name="p"><xsl:with-param name="id">receipt</xsl:with-param></xsl:call-template>
    <xsl:call-template name="both-sign"/>
  </xsl:template>
</xsl:stylesheet>
