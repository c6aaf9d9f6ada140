package program

import (
	"net/mail"

	"github.com/ceap-platform/ceap/plugin"
)

func (b *builder) channels() {
	node := b.node.Get("channels")
	if node == nil {
		b.warn("channels", "add it to contact customers", "is absent: nothing is delivered")
		return
	}
	seen := duplicates{}
	for i, item := range items(node, len(b.doc.Channels)) {
		d := b.doc.Channels[i]
		c := Channel{
			ID: d.ChannelID, Type: d.ChannelType, Enabled: d.Enabled, Mode: d.Mode,
			Config: channelPart().configOf(item), Node: item,
		}
		if c.ID == "" {
			c.ID = c.Type
		}
		b.unique(channelPart(), item, c.ID, seen)
		if c.Enabled && c.Mode == ModeLive {
			// I49: nothing is sent live unless the deployment can.
			b.report(item.Get("mode"), `use "shadow", which does everything except the hand-off`,
				"this version has no provider to send %s live", c.Type)
		}
		c.TemplateID = b.channelConfig(c)
		b.program.Channels = append(b.program.Channels, c)
	}
}

// channelConfig checks the configuration of a channel and returns its template.
func (b *builder) channelConfig(c Channel) string {
	if c.Type == "" {
		return ""
	}
	config := channelConfigOf(c.Type)
	b.problems = append(b.problems, plugin.Decode(c.Config, config)...)
	email, ok := config.(*emailConfig)
	if !ok {
		common, _ := config.(*channelConfig)
		return common.TemplateID
	}
	b.address(c.Config.Get("fromEmail"))
	b.address(c.Config.Get("replyToEmail"))
	return email.TemplateID
}

// address checks a mail address.
func (b *builder) address(n *plugin.Node) {
	text := textOf(n)
	if parsed, err := mail.ParseAddress(text); text != "" && (err != nil || parsed.Address != text) {
		b.report(n, "use an address such as reviews@example.com", "%q is not a mail address", text)
	}
}
