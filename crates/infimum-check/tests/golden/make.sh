#!/usr/bin/env bash
# Makes the valid certificates anew with the `infimum` binary given as first argument; run it in this folder.
set -euo pipefail
fit() { # name, arguments
  name=$1; shift
  "$1" fit "${@:2}" --quiet --gap 1e-9 --out run
  cp run/certificate.safetensors "../valid_certificates/$name.safetensors"
  rm -r run
}
share() { # name, arguments: half of the rows, of which a fifth is held out
  name=$1; shift
  "$1" curve "${@:2}" --fractions 0.5 --quiet --gap 1e-9 --out run
  cp run/curve/000/certificate.safetensors "../valid_certificates/$name.safetensors"
  rm -r run
}
infimum=$1
fit logistic-free "$infimum" two.csv
fit logistic-l1-penalized "$infimum" two.csv --l1 0.05 --intercept penalized
fit logistic-not-attained "$infimum" numbers.csv --target 1 --task classification --l2 0
fit logistic-one-vs-rest "$infimum" classes.csv --target y --loss logistic --sample-weight w
fit hinge-free "$infimum" two.csv --loss hinge
fit hinge-l1-none "$infimum" two.csv --loss hinge --l1 0.05 --intercept none
fit squared-hinge-elastic-net "$infimum" two.csv --loss squared-hinge --l1 0.01 --l2 0.1 --class-weight balanced
fit softmax-standardized "$infimum" classes.csv --target y --standardize --class-weight yes=2,no=0.5
fit softmax-l1 "$infimum" classes.csv --target y --l1 0.02 --intercept penalized
fit squared-free "$infimum" numbers.csv --task regression
fit lasso-split "$infimum" numbers.csv --task regression --l1 0.5 --valid 0.2 --seed 3
fit epsilon-free "$infimum" numbers.csv --task regression --loss epsilon --epsilon 0.5
fit squared-epsilon-l1 "$infimum" numbers.csv --task regression --loss squared-epsilon --l1 0.1
fit huber-free "$infimum" numbers.csv --task regression --loss huber --huber 0.7
fit huber-l1-penalized "$infimum" numbers.csv --task regression --loss huber --l1 0.05 --intercept penalized
fit poisson-free "$infimum" counts.csv --target y --loss poisson
fit poisson-l1-none "$infimum" counts.csv --target y --loss poisson --l1 0.05 --intercept none --sample-weight w
fit poisson-not-attained "$infimum" zeros.csv --target y --loss poisson
fit quantile-free "$infimum" numbers.csv --task regression --loss quantile --quantile 0.9
share logistic-share "$infimum" two.csv --class-weight balanced --standardize --seed 5
fit hinge-rbf-free "$infimum" two.csv --kernel rbf --loss hinge
fit squared-hinge-rbf-one-vs-rest "$infimum" classes.csv --target y --kernel rbf --loss squared-hinge --sample-weight w --intercept none
fit epsilon-polynomial-penalized "$infimum" numbers.csv --task regression --kernel polynomial --gamma 0.5 --coef0 1 --degree 2 --intercept penalized
"$infimum" audit --predictions twice-outputs.csv --data twice.csv --target y --quiet --out run
cp run/certificate.safetensors ../valid_certificates/outputs-equal-rows.safetensors
rm -r run
