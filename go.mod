module github.com/ceap-platform/ceap

go 1.26
