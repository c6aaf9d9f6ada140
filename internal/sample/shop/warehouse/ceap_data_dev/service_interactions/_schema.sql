CREATE EXTERNAL TABLE IF NOT EXISTS ceap_data_dev.service_interactions (
    service_interaction_id STRING,
    customer_id STRING,
    service_type STRING,
    contact_method STRING,
    interaction_date STRING,
    interaction_completed_at STRING,
    interaction_status STRING,
    sms_opt_in BOOLEAN,
    marketplace STRING
)
STORED AS PARQUET
LOCATION 's3://your-data-bucket/service-interactions/';
