package dynamodb

import (
	"encoding/base64"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/ceap-platform/ceap"
	"github.com/ceap-platform/ceap/plugin"
)

// attribute returns the value of a document as DynamoDB holds it natively.
// Returns invalid for a number that it cannot hold exactly.
func attribute(n *plugin.Node) (types.AttributeValue, error) {
	switch n.Kind {
	case plugin.NodeBool:
		return &types.AttributeValueMemberBOOL{Value: n.Text == "true"}, nil
	case plugin.NodeNumber:
		if !fitsNumber(n.Text) {
			return nil, &ceap.Error{
				Code: ceap.CodeInvalid, Field: n.Path, Message: "DynamoDB cannot hold the number " + n.Text + " exactly",
				Hint: "use at most 38 digits, and a magnitude between 1e-129 and 1e125",
			}
		}
		return &types.AttributeValueMemberN{Value: n.Text}, nil
	case plugin.NodeString:
		return text(n.Text), nil
	case plugin.NodeList:
		list := make([]types.AttributeValue, len(n.Items))
		for i, element := range n.Items {
			v, err := attribute(element)
			if err != nil {
				return nil, err
			}
			list[i] = v
		}
		return &types.AttributeValueMemberL{Value: list}, nil
	case plugin.NodeObject:
		object, err := attributes(n)
		return &types.AttributeValueMemberM{Value: object}, err
	default:
		return &types.AttributeValueMemberNULL{Value: true}, nil
	}
}

// attributes returns the values of an object.
func attributes(n *plugin.Node) (item, error) {
	out := make(item, len(n.Fields))
	for _, f := range n.Fields {
		v, err := attribute(f.Value)
		if err != nil {
			return nil, err
		}
		out[f.Name] = v
	}
	return out, nil
}

// node returns an attribute as a value of a document. What no document holds, bytes,
// becomes their Base64, so that whoever reads the document says what is wrong.
func node(v types.AttributeValue) *plugin.Node {
	switch v := v.(type) {
	case *types.AttributeValueMemberS:
		return &plugin.Node{Kind: plugin.NodeString, Text: v.Value}
	case *types.AttributeValueMemberN:
		return &plugin.Node{Kind: plugin.NodeNumber, Text: v.Value}
	case *types.AttributeValueMemberBOOL:
		if v.Value {
			return &plugin.Node{Kind: plugin.NodeBool, Text: "true"}
		}
		return &plugin.Node{Kind: plugin.NodeBool, Text: "false"}
	case *types.AttributeValueMemberM:
		return object(v.Value)
	case *types.AttributeValueMemberL:
		return list(v.Value, node)
	case *types.AttributeValueMemberSS:
		return list(v.Value, func(s string) *plugin.Node { return &plugin.Node{Kind: plugin.NodeString, Text: s} })
	case *types.AttributeValueMemberNS:
		return list(v.Value, func(s string) *plugin.Node { return &plugin.Node{Kind: plugin.NodeNumber, Text: s} })
	case *types.AttributeValueMemberB:
		return bytesNode(v.Value)
	case *types.AttributeValueMemberBS:
		return list(v.Value, bytesNode)
	default:
		return &plugin.Node{Kind: plugin.NodeNull}
	}
}

// object returns attributes as an object of a document. Their order says nothing;
// [plugin.Node.Canonical] sorts them.
func object(attributes item) *plugin.Node {
	n := &plugin.Node{Kind: plugin.NodeObject}
	for name, v := range attributes {
		n.Fields = append(n.Fields, plugin.Field{Name: name, Value: node(v)})
	}
	return n
}

func list[T any](elements []T, of func(T) *plugin.Node) *plugin.Node {
	n := &plugin.Node{Kind: plugin.NodeList}
	for _, element := range elements {
		n.Items = append(n.Items, of(element))
	}
	return n
}

func bytesNode(b []byte) *plugin.Node {
	return &plugin.Node{Kind: plugin.NodeString, Text: base64.StdEncoding.EncodeToString(b)}
}
