SELECT 
    customer_id,
    service_interaction_id as subject_id,
    'service' as subject_type,
    interaction_completed_at as event_date,
    service_type,
    marketplace,
    CASE WHEN sms_opt_in = true THEN true ELSE false END as sms_eligible,
    'service-surveys' as program_id
FROM service_interactions
WHERE interaction_date BETWEEN '{startDate}' AND '{endDate}'
  AND interaction_status = 'COMPLETED'
  AND marketplace = 'US'
LIMIT 5000;
