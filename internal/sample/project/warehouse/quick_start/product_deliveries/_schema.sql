-- The guide's quick start table, in a database of its own so that it does not
-- collide with the main table of the same name.
CREATE EXTERNAL TABLE quick_start.product_deliveries (
    customer_id STRING,
    product_id STRING,
    delivery_date STRING,
    order_value DOUBLE,
    marketplace STRING
)
ROW FORMAT DELIMITED
FIELDS TERMINATED BY ','
LOCATION 's3://your-data-bucket/deliveries/'
TBLPROPERTIES ('skip.header.line.count'='1');
