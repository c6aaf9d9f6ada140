CREATE EXTERNAL TABLE IF NOT EXISTS ceap_data_dev.customers (
    customer_id STRING,
    marketplace STRING,
    locale STRING,
    loyalty_tier STRING,
    signup_date STRING,
    trust_score DOUBLE,
    fraud_score DOUBLE,
    email_opt_in BOOLEAN,
    sms_opt_in BOOLEAN,
    push_opt_in BOOLEAN
)
STORED AS PARQUET
LOCATION 's3://your-data-bucket/customers/';
