-- customer_id is text: its leading zeros matter. purchase_date is text too, since
-- YYYYMMDD is no date that SQL engines read.
CREATE EXTERNAL TABLE IF NOT EXISTS music.purchases (
    customer_id STRING,
    purchase_date STRING,
    cds INT,
    order_value DOUBLE
)
ROW FORMAT DELIMITED
FIELDS TERMINATED BY ','
LOCATION 's3://your-data-bucket/purchases/'
TBLPROPERTIES ('skip.header.line.count'='1');
