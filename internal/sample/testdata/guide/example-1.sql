SELECT 
    customer_id,
    product_id as subject_id,
    'product' as subject_type,
    delivery_date as event_date,
    order_value,
    marketplace,
    CASE WHEN email_opt_in = true THEN true ELSE false END as email_eligible,
    'product-reviews' as program_id
FROM product_deliveries
WHERE delivery_date_partition BETWEEN '{startDate}' AND '{endDate}'
  AND marketplace = 'US'
  AND delivery_status = 'DELIVERED'
  AND customer_id NOT IN (
      SELECT customer_id FROM review_submissions 
      WHERE product_id = product_deliveries.product_id
  )
LIMIT 10000;
