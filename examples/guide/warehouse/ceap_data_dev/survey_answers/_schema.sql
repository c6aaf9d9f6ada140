CREATE EXTERNAL TABLE IF NOT EXISTS ceap_data_dev.survey_answers (
    service_interaction_id STRING,
    answered_at STRING,
    score INT
)
ROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe'
LOCATION 's3://your-data-bucket/survey-answers/';
