//go:build cgo

package athena_test

import (
	"compress/gzip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	api "github.com/aws/aws-sdk-go-v2/service/athena"
	"github.com/aws/aws-sdk-go-v2/service/athena/types"
	"github.com/google/go-cmp/cmp"

	"github.com/ceap-platform/ceap/internal/awstest/athena"
)

// The statements of the guide, word for word.
const (
	createDatabase = `CREATE DATABASE IF NOT EXISTS ceap_data_dev
COMMENT 'CEAP platform data for dev environment'
LOCATION 's3://your-data-bucket/ceap-data/';`

	createParquet = `CREATE EXTERNAL TABLE IF NOT EXISTS ceap_data_dev.product_deliveries (
    customer_id STRING,
    product_id STRING,
    order_id STRING,
    delivery_date STRING,
    order_value DOUBLE,
    product_category STRING,
    marketplace STRING,
    email_eligible BOOLEAN,
    sms_eligible BOOLEAN
)
PARTITIONED BY (delivery_date_partition STRING)
STORED AS PARQUET
LOCATION 's3://your-data-bucket/product-deliveries/';`

	createCSV = `CREATE EXTERNAL TABLE ceap_data_dev.product_deliveries (
    customer_id STRING,
    product_id STRING,
    delivery_date STRING,
    order_value DOUBLE,
    marketplace STRING
)
ROW FORMAT DELIMITED
FIELDS TERMINATED BY ','
LOCATION 's3://your-data-bucket/deliveries/'
TBLPROPERTIES ('skip.header.line.count'='1');`

	sampleCSV = `customer_id,product_id,delivery_date,order_value,marketplace
CUST-001,PROD-123,2026-01-26,29.99,US
CUST-002,PROD-456,2026-01-26,49.99,US
CUST-003,PROD-789,2026-01-27,19.99,US
`
)

func TestFake_QuickStartOfTheGuide(t *testing.T) {
	t.Parallel()
	c := newCloud(t, athena.Options{})
	c.upload("your-data-bucket", "deliveries/sample-deliveries.csv", sampleCSV)
	c.upload("your-data-bucket", "deliveries-old/sample-deliveries.csv", sampleCSV)
	c.must(createDatabase)
	c.must(createCSV)
	if diff := cmp.Diff(strings.Split(`"CUST-001","PROD-123","2026-01-26","29.99","US"
"CUST-002","PROD-456","2026-01-26","49.99","US"
"CUST-003","PROD-789","2026-01-27","19.99","US"`, "\n"), strings.Split(c.csv("SELECT * FROM ceap_data_dev.product_deliveries LIMIT 10"), "\n")); diff != "" {
		t.Error(diff)
	}
	if e := c.refused(createCSV); !strings.Contains(*e.ErrorMessage, "already exists") {
		t.Errorf("again: %s", *e.ErrorMessage)
	}
	c.upload("your-data-bucket", "deliveries/sample-deliveries.csv", sampleCSV+"\"CUST-004\",,,x,\\N\n")
	if got := c.csv("SELECT * FROM product_deliveries WHERE product_id = ''"); got != `"""CUST-004""","","",,` {
		t.Errorf("LazySimpleSerDe reads %s", got)
	}
	c.must("DROP TABLE product_deliveries")
	c.refused("SELECT * FROM product_deliveries")
}

func TestFake_PartitionsOfTheGuide(t *testing.T) {
	t.Parallel()
	c := newCloud(t, athena.Options{UnloadFiles: 1})
	for _, day := range []string{"2026-01-26", "2026-01-27"} {
		q := c.must("UNLOAD (SELECT 'C-' || d AS customer_id, 29.99e0 AS order_value, true AS email_eligible FROM (VALUES ('" + day + "')) AS t(d)) TO 's3://your-data-bucket/product-deliveries/delivery_date_partition=" + day + "/' WITH (format = 'PARQUET')")
		if q.Statistics.DataManifestLocation == nil {
			t.Fatal("no manifest")
		}
	}
	c.must(createParquet)
	c.must(createParquet)
	if got := c.csv("SELECT * FROM product_deliveries"); got != "" {
		t.Errorf("before the partitions are known: %s", got)
	}
	c.must("ALTER TABLE product_deliveries ADD IF NOT EXISTS PARTITION (delivery_date_partition = '2026-01-26')")
	if got := c.csv("SELECT customer_id FROM product_deliveries"); got != `"C-2026-01-26"` {
		t.Errorf("with one partition: %s", got)
	}
	c.must("MSCK REPAIR TABLE ceap_data_dev.product_deliveries")
	if got := c.csv("SELECT customer_id, product_id, order_value, email_eligible FROM product_deliveries WHERE delivery_date_partition BETWEEN ? AND ?", "'2026-01-27'", "'2026-01-28'"); got != `"C-2026-01-27",,"29.99","true"` {
		t.Errorf("with all: %s", got)
	}
	q := c.must("SHOW PARTITIONS product_deliveries")
	if got := c.object(*q.ResultConfiguration.OutputLocation); got != "delivery_date_partition=2026-01-26\ndelivery_date_partition=2026-01-27\n" {
		t.Errorf("the partitions are %q", got)
	}
	c.upload("your-data-bucket", "product-deliveries/delivery_date_partition=2026-01-27/broken", "no Parquet")
	if e := c.refused("SELECT * FROM product_deliveries"); !strings.HasPrefix(*e.ErrorMessage, "HIVE_CURSOR_ERROR") {
		t.Errorf("of a broken file: %s", *e.ErrorMessage)
	}
}

// gzipped writes a file that is compressed.
func (c *cloud) gzipped(name, content string) {
	c.t.Helper()
	c.write(name, "")
	f, err := os.Create(filepath.Join(c.folder, name))
	if err != nil {
		c.t.Fatal(err)
	}
	w := gzip.NewWriter(f)
	if _, err := w.Write([]byte(content)); err != nil {
		c.t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		c.t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		c.t.Fatal(err)
	}
}

func TestFake_FolderOfTheEmbeddedEngine(t *testing.T) {
	t.Parallel()
	c := newCloud(t, athena.Options{})
	c.write("ceap_data_dev/csv/day=2026-01-26/a.csv", "Id,value,zip,flag,price\n1,2.5,007,true,1.50\n2,,010,false,10.00\n")
	c.gzipped("ceap_data_dev/csv/day=2026-01-27/b.csv.gz", "Id,value,zip,flag,price\n3,\"\",\"a,b\",true,2.25\n")
	c.write("ceap_data_dev/docs.jsonl", `{"id": 1, "at": "2026-01-26", "n": 1.5}`+"\n"+`{"id": 2, "at": null}`+"\n")
	c.write("ceap_data_dev/declared/_schema.sql", "CREATE EXTERNAL TABLE declared (id STRING, price DECIMAL(10,2)) PARTITIONED BY (day INT)")
	c.write("ceap_data_dev/declared/day=7/a.csv", "id,price\n007,1.5\n")
	c.write("ceap_data_dev/bare/_schema.sql", "CREATE EXTERNAL TABLE bare (id STRING, price DOUBLE)")
	c.write("ceap_data_dev/bare/a.csv", "007,x\n")
	c.write("ceap_data_dev/empty/_schema.sql", "CREATE EXTERNAL TABLE `empty` (id STRING)")
	c.write("ceap_data_dev/_hidden/a.csv", "x\n1\n")
	for sql, want := range map[string]string{
		"SELECT * FROM csv WHERE day = '2026-01-26'":                            `"1","2.5","007","true","1.50","2026-01-26"` + "\n" + `"2",,"010","false","10.00","2026-01-26"`,
		"SELECT value, zip FROM csv WHERE id = 3":                               `"","a,b"`,
		"SELECT * FROM docs":                                                    `"1","2026-01-26","1.5"` + "\n" + `"2",,`,
		"SELECT * FROM declared WHERE day = 7":                                  `"007","1.50","7"`,
		"SELECT * FROM bare":                                                    `"007",`,
		"SELECT * FROM empty":                                                   "",
		"SELECT count(*) AS n FROM AwsDataCatalog.CEAP_data_dev.\"csv\" AS csv": `"3"`,
	} {
		if got := c.csv(sql); got != want {
			t.Errorf("%s:\n%s", sql, got)
		}
	}
	c.refused("SELECT * FROM _hidden")
}

func TestFake_ScansPartitionsThatTheQueryNames(t *testing.T) {
	t.Parallel()
	c := newCloud(t, athena.Options{})
	c.write("ceap_data_dev/orders/day=2026-01-26/a.csv", "id\n1\n")
	c.write("ceap_data_dev/orders/day=2026-01-27/a.csv", "id\n1\n")
	c.write("ceap_data_dev/customers/a.csv", "id\n1\n")
	for sql, want := range map[string]int64{
		"SELECT * FROM orders": 10, "SELECT * FROM orders WHERE day > '2026-01-26'": 5, "SELECT * FROM orders WHERE day = '2020-01-01'": 0,
		"SELECT o.id FROM orders o JOIN customers c ON c.id = o.id WHERE day = ?": 10, "SELECT 1 AS n": 0, "EXPLAIN SELECT * FROM orders": 0,
	} {
		var parameters []string
		if strings.Contains(sql, "?") {
			parameters = append(parameters, "'2026-01-26'")
		}
		if got := *c.must(sql, parameters...).Statistics.DataScannedInBytes; got != want {
			t.Errorf("%s: %d bytes", sql, got)
		}
	}
}

func TestFake_Metadata(t *testing.T) {
	t.Parallel()
	c := newCloud(t, athena.Options{})
	c.write("ceap_data_dev/orders/day=2026-01-26/a.csv", "customer_id,order_value\nC-1,29.99\n")
	catalog := aws.String("AwsDataCatalog")
	out, err := c.client.GetTableMetadata(t.Context(), &api.GetTableMetadataInput{CatalogName: catalog, DatabaseName: aws.String("ceap_data_dev"), TableName: aws.String("orders")})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, column := range append(out.TableMetadata.Columns, out.TableMetadata.PartitionKeys...) {
		got = append(got, *column.Name+" "+*column.Type)
	}
	if diff := cmp.Diff([]string{"customer_id string", "order_value double", "day string"}, got); diff != "" {
		t.Error(diff)
	}
	list, err := c.client.ListTableMetadata(t.Context(), &api.ListTableMetadataInput{CatalogName: catalog, DatabaseName: aws.String("ceap_data_dev")})
	if err != nil || len(list.TableMetadataList) != 1 {
		t.Errorf("the list: %v", err)
	}
	for database, table := range map[string]string{"ceap_data_dev": "nothing", "nowhere": "orders"} {
		_, err := c.client.GetTableMetadata(t.Context(), &api.GetTableMetadataInput{CatalogName: catalog, DatabaseName: &database, TableName: &table})
		if err == nil || !strings.Contains(err.Error(), "MetadataException") {
			t.Errorf("%s.%s: %v", database, table, err)
		}
	}
	if _, err := c.client.GetDatabase(t.Context(), &api.GetDatabaseInput{CatalogName: catalog, DatabaseName: aws.String("ceap_data_dev")}); err != nil {
		t.Error(err)
	}
}

func TestFake_QueriesOfTheGuide(t *testing.T) {
	t.Parallel()
	c := newCloud(t, athena.Options{})
	c.write("ceap_data_dev/product_deliveries/delivery_date_partition=2026-01-26/a.csv",
		"customer_id,product_id,delivery_date,order_value,marketplace,email_opt_in,delivery_status\nC-1,P-1,2026-01-26,29.99,US,true,DELIVERED\nC-2,P-1,2026-01-26,9.99,US,false,DELIVERED\n")
	c.write("ceap_data_dev/review_submissions/a.csv", "customer_id,product_id\nC-2,P-1\n")
	got := c.csv(`SELECT 
    customer_id,
    product_id as subject_id,
    'product' as subject_type,
    delivery_date as event_date,
    order_value,
    marketplace,
    CASE WHEN email_opt_in = true THEN true ELSE false END as email_eligible,
    'product-reviews' as program_id
FROM product_deliveries
WHERE delivery_date_partition BETWEEN ? AND ?
  AND marketplace = 'US'
  AND delivery_status = 'DELIVERED'
  AND customer_id NOT IN (
      SELECT customer_id FROM review_submissions 
      WHERE product_id = product_deliveries.product_id
  )
LIMIT 10000;`, "'2026-01-26'", "'2026-01-27'")
	if got != `"C-1","P-1","product","2026-01-26","29.99","US","true","product-reviews"` {
		t.Errorf("got %s", got)
	}
	c.must("EXPLAIN SELECT * FROM product_deliveries")
	if e := c.refused("EXPLAIN SELECT nothing FROM product_deliveries"); *e.ErrorType != 1006 {
		t.Errorf("got %s", *e.ErrorMessage)
	}
	in := input("SELECT 1 AS n")
	in.QueryExecutionContext = &types.QueryExecutionContext{Database: aws.String("nowhere")}
	if q := c.wait(c.start(in)); q.Status.State != types.QueryExecutionStateSucceeded {
		t.Errorf("a query without a table: %v", *q.Status.StateChangeReason)
	}
}
