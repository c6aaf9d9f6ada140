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
STORED AS PARQUET
LOCATION 's3://your-data-bucket/product-deliveries/';
