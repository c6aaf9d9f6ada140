package journal

// Shape makes w cut rows into smaller row groups and parts, so that tests need
// few of them. Both are multiples of 1024.
func (w *Writer) Shape(rowGroupRows, partRows int64) { w.shape = shape{rowGroupRows, partRows} }
