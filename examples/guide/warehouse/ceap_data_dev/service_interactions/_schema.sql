CREATE EXTERNAL TABLE IF NOT EXISTS ceap_data_dev.service_interactions (
    service_interaction_id STRING,
    customer_id STRING,
    service_type STRING,
    interaction_date STRING,
    interaction_completed_at STRING,
    interaction_status STRING,
    sms_opt_in BOOLEAN,
    marketplace STRING
)
ROW FORMAT DELIMITED
FIELDS TERMINATED BY ','
LOCATION 's3://your-data-bucket/service-interactions/'
TBLPROPERTIES ('skip.header.line.count'='1');
