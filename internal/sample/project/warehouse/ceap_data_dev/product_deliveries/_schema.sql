-- The columns of the guide's main table. CEAP reads the columns, the partition
-- and the two lines about CSV; the same statement, with STORED AS PARQUET in
-- place of those lines and your bucket as LOCATION, makes the table in Athena.
CREATE EXTERNAL TABLE IF NOT EXISTS ceap_data_dev.product_deliveries (
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
ROW FORMAT DELIMITED
FIELDS TERMINATED BY ','
LOCATION 's3://your-data-bucket/product-deliveries/'
TBLPROPERTIES ('skip.header.line.count'='1');
